"""A server with known timings: its answers say when it sent them.

The first token is the time in seconds from the request's arrival to its sending, as
this process saw it. Prints its base URL, ends when its input closes. Usage:

    python tests/bench/timed_server.py TTFT_MS ITL_MS TOKENS
"""

import asyncio
import sys
from time import perf_counter

from free_server import STREAM_HEAD, chunked, event


async def answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    ttft: float,
    gap: float,
    tokens: int,
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            arrived = perf_counter()
            writer.write(STREAM_HEAD.encode() + chunked(event({"role": "assistant"})))
            await asyncio.sleep(ttft)
            sent = perf_counter() - arrived
            writer.write(chunked(event({"content": f"{sent:.6f}"})))
            for _ in range(tokens - 1):
                await asyncio.sleep(gap)
                writer.write(chunked(event({"content": " word"})))
            whole = perf_counter() - arrived
            writer.write(chunked(event({"content": f" {whole:.6f}"})))
            writer.write(chunked(event({}, "stop")) + chunked(b"data: [DONE]\n\n"))
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(ttft: float, gap: float, tokens: int) -> None:
    server = await asyncio.start_server(
        lambda r, w: answer(r, w, ttft, gap, tokens), "127.0.0.1", 0, backlog=4096
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(
        main(float(sys.argv[1]) / 1e3, float(sys.argv[2]) / 1e3, int(sys.argv[3]))
    )
