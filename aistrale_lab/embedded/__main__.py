"""`python -m aistrale_lab.embedded`: serve the models in the box until told to stop."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading

import uvicorn

from aistrale_lab.embedded.app import make_app

GRACE = 2
"""Seconds that answers in the making are given at the end."""


def main() -> None:
    """Serve on a loopback port; prints one line of JSON once calls are answered."""
    parser = argparse.ArgumentParser(prog="aistrale embedded", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when the parent's pipe closes, however the parent ended",
    )
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    listening = socket.create_server((arguments.host, arguments.port), backlog=4096)
    config = uvicorn.Config(
        make_app(),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    if arguments.until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=_end_with_parent, args=(loop, server), daemon=True
        ).start()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    host, port = listening.getsockname()[:2]
    print(json.dumps({"base_url": f"http://{host}:{port}/v1"}), flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _end_with_parent(loop: asyncio.AbstractEventLoop, server: uvicorn.Server) -> None:
    """Block until the pipe closes, then stop; a stuck server is ended the hard way."""
    sys.stdin.buffer.read()
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(setattr, server, "should_exit", True)
    threading.Event().wait(GRACE + 3)
    os._exit(0)


if __name__ == "__main__":
    main()
