"""A server that costs next to no CPU: every answer is encoded before the first call.

Run as a process of its own; prints its base URL, ends when its input closes.
"""

import asyncio
import json
import sys

CHUNKS = 50
HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {}\r\nx-request-id: req_bench\r\n"


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "system_fingerprint": "fp_bench",
        "choices": [
            {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        ],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE = {"prompt_tokens": 12, "completion_tokens": CHUNKS, "total_tokens": 12 + CHUNKS}
LAST = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1}
LAST |= {"model": "bench", "choices": [], "usage": USAGE}
EVENTS = [event({"role": "assistant", "content": ""})]
EVENTS += [event({"content": f" token{n}"}) for n in range(CHUNKS)]
EVENTS += [event({}, "stop"), b"data: " + json.dumps(LAST).encode() + b"\n\n"]
EVENTS += [b"data: [DONE]\n\n"]
STREAM_HEAD = HEAD.format("text/event-stream") + "transfer-encoding: chunked\r\n\r\n"
WHOLE = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "".join(f" token{n}" for n in range(CHUNKS)),
                },
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
).encode()
WHOLE_ANSWER = (
    HEAD.format("application/json") + f"content-length: {len(WHOLE)}\r\n\r\n"
).encode() + WHOLE


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


STREAM_PIECES = [STREAM_HEAD.encode()] + [chunked(e) for e in EVENTS]
STREAM_AT_ONCE = b"".join(STREAM_PIECES) + b"0\r\n\r\n"


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gap: float | None
) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b'"stream":true' not in body.replace(b" ", b""):
                writer.write(WHOLE_ANSWER)
            elif gap is None:
                writer.write(STREAM_AT_ONCE)
            else:
                await drip(writer, gap)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def drip(writer: asyncio.StreamWriter, gap: float) -> None:
    for piece in STREAM_PIECES:
        writer.write(piece)
        await asyncio.sleep(gap)
    writer.write(b"0\r\n\r\n")


async def main(gap: float | None) -> None:
    server = await asyncio.start_server(
        lambda r, w: answer(r, w, gap), "127.0.0.1", 0, backlog=4096
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else None))
