"""`python -m aistrale_lab.embedded.timed`: a server whose timings are known.

Its answers say, in seconds from the request's arrival, when this process sent the
first token and the last, and the median time between tokens. So a client's bias can be
told apart from the server's own lateness.
"""

import argparse
import asyncio
import json
import sys
from statistics import median
from time import perf_counter

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"
BACKLOG = 4_096


class TimedServer:
    """Answers every request with as many tokens, at the times it was told."""

    def __init__(self, *, ttft: float, gap: float, tokens: int) -> None:
        self._ttft = ttft
        self._gap = gap
        self._tokens = tokens

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection until it closes."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
                await reader.readexactly(int(size))
                await self._answer(writer, perf_counter())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, arrived: float) -> None:
        writer.write(HEAD + _event({"role": "assistant", "content": ""}))
        await asyncio.sleep(self._ttft)
        sent = [perf_counter()]
        writer.write(_event({"content": f"{sent[0] - arrived:.6f}"}))
        for _ in range(self._tokens - 2):
            await asyncio.sleep(self._gap)
            sent.append(perf_counter())
            writer.write(_event({"content": " word"}))
        await asyncio.sleep(self._gap)
        sent.append(perf_counter())
        gaps = [after - before for before, after in zip(sent, sent[1:], strict=False)]
        told = f" {median(gaps):.6f} {sent[-1] - arrived:.6f}"
        writer.write(_event({"content": told}) + _event({}, "stop"))
        writer.write(_chunk(DONE) + END)
        await writer.drain()


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    payload = {"object": "chat.completion.chunk", "model": "timed", "choices": [choice]}
    return _chunk(b"data: " + json.dumps(payload).encode() + b"\n\n")


def _chunk(payload: bytes) -> bytes:
    return f"{len(payload):x}\r\n".encode() + payload + b"\r\n"


async def _run(server: TimedServer) -> None:
    listening = await asyncio.start_server(
        server.serve, "127.0.0.1", 0, backlog=BACKLOG
    )
    port = listening.sockets[0].getsockname()[1]
    print(json.dumps({"base_url": f"http://127.0.0.1:{port}/v1"}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    listening.close()


def main() -> None:
    """Serve on a free loopback port until standard input closes; prints its address."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--ttft", type=float, required=True, help="milliseconds")
    parser.add_argument("--itl", type=float, required=True, help="milliseconds")
    parser.add_argument("--tokens", type=int, required=True, help="two at least")
    asked = parser.parse_args()
    server = TimedServer(
        ttft=asked.ttft / 1e3, gap=asked.itl / 1e3, tokens=asked.tokens
    )
    asyncio.run(_run(server))


if __name__ == "__main__":
    main()
