"""`python -m servers.huge KIND`: meets every huge answer, and says what became of it.

Prints a line of JSON for each: its name, the error, the seconds of CPU that server and
client took, and the peak of the memory in MB.
"""

import asyncio
import json
import sys
import zlib
from pathlib import Path
from time import process_time

from servers.canned import Canned, canned_server
from servers.lanes import ask

BLANK = b" " * 1024 * 1024
PINGS = b'data: {"choices": []}\n\n' * 40_000
WIDE = b'data: {"choices": [], "obfuscation": "%s"}\n\n' % (b"x" * 1_000) * 1_000
TOKENS = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n' * 20_000
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
ZIPPED = {"content-encoding": "gzip"}


def bomb(piece: bytes, times: int) -> bytes:
    """So many pieces, compressed as one."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([packer.compress(piece) for _ in range(times)]) + packer.flush()


def answers() -> dict[str, Canned]:
    blanks = bomb(BLANK, 200)
    return {
        "50 MB of JSON": Canned([BLANK] * 50, headers=JSON),
        "50 MB of events": Canned([PINGS] * 60, headers=EVENTS),
        "50 MB of tokens": Canned([TOKENS] * 50, headers=EVENTS),
        "50 MB in a line": Canned([b"data: "] + [BLANK] * 50, headers=EVENTS),
        "50 MB of an error": Canned([BLANK] * 50, status=500, headers=JSON),
        "gzip bomb": Canned(blanks, headers={**JSON, **ZIPPED}),
        "gzip bomb of events": Canned(bomb(WIDE, 100), headers={**EVENTS, **ZIPPED}),
        "gzip bomb of an error": Canned(blanks, status=500, headers={**JSON, **ZIPPED}),
        "200k-deep JSON": Canned(b"[" * 200_000, headers=JSON),
        "200k-deep object": Canned(b'{"error":' * 200_000, headers=JSON),
        "200k-deep event": Canned(
            b"data: " + b'{"choices":[' * 200_000 + b"\n\n", headers=EVENTS
        ),
        "200k-deep error": Canned(b"[" * 200_000, status=500, headers=JSON),
    }


def peak() -> int:
    """The most memory this process ever had, in MB.

    Not `ru_maxrss`: that begins with what the parent had when it started us.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(kilobytes) // 1024


async def main(kind: str) -> None:
    for name, answer in answers().items():
        async with canned_server() as server:
            server.answers(answer)
            began = process_time()
            outcome = await ask(server.base_url, kind=kind, retries=0, timeout=90)
        assert outcome.error is not None
        told = {
            "name": name,
            "error": type(outcome.error).__name__,
            "message": outcome.error.message,
            "seconds": process_time() - began,
            "peak": peak(),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
