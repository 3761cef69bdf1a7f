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
from collections.abc import Generator
from functools import partial

import uvicorn

from aistrale_lab.embedded.app import make_app

ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Matrices this small are multiplied at a third of the cost by a single thread."""

GRACE = 2
"""Seconds that answers in the making are given at the end."""


class Server(uvicorn.Server):
    """Says on standard output where it listens, and leaves signals to `main`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept calls, then say so in one line of JSON."""
        await super().startup(sockets)
        assert sockets is not None
        print(json.dumps({"base_url": _base_url(sockets[0])}), flush=True)


def main() -> None:
    """Serve on a loopback port; prints one line of JSON once calls are answered."""
    parser = argparse.ArgumentParser(
        prog="python -m aistrale_lab.embedded", description=main.__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", choices=["127.0.0.1", "::1"])
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when the parent's pipe closes, however the parent ended; "
        "an interrupt is the parent's to handle",
    )
    arguments = parser.parse_args()
    if arguments.until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        listening = _listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen on {arguments.host} port {arguments.port}: {error}")
    asyncio.run(_serve(listening, is_child=arguments.until_stdin_closes))


async def _serve(listening: socket.socket, *, is_child: bool) -> None:
    os.environ.update(ONE_THREAD)
    # Not before: numpy reads the environment when it is first imported.
    from aistrale_lab.embedded.inventory import load_models

    config = uvicorn.Config(
        make_app(load_models()),
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )
    server = Server(config)
    stop = partial(setattr, server, "should_exit", True)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    if not is_child:
        loop.add_signal_handler(signal.SIGINT, stop)
    else:
        watch = partial(_end_with_parent, partial(loop.call_soon_threadsafe, stop))
        threading.Thread(target=watch, daemon=True).start()
    await server.serve(sockets=[listening])


def _end_with_parent(stop: partial[asyncio.Handle]) -> None:
    """Wait until the pipe closes, then stop; a stuck server is ended the hard way."""
    with contextlib.suppress(OSError):  # the pipe may break instead
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        stop()
    threading.Event().wait(GRACE + 3)
    os._exit(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=4096)
    # Accepted connections inherit it; asyncio itself sets it only on sockets that it
    # made. Without it, the second packet of an answer waits 40 ms for the first one's
    # acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _base_url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


if __name__ == "__main__":
    main()
