"""A loopback server that sends canned bytes and remembers what it was sent."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

End = Literal["keep", "cut", "reset", "hang"]
"""After the last piece: finish, close without finishing, reset, or say no more."""


@dataclass(frozen=True)
class Canned:
    """One answer: its head, and the pieces of its body, each sent on its own.

    `pause` are the seconds before each piece. With `bare` the pieces are all that is
    sent: they are head and framing as well.
    """

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    end: End = "keep"
    pause: float = 0.0
    bare: bool = False

    @property
    def pieces(self) -> list[bytes]:
        pieces = [self.body] if isinstance(self.body, bytes) else self.body
        return [piece for piece in pieces if piece]


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class CannedServer:
    """Gives its answers in turn, the last one again and again."""

    def __init__(self) -> None:
        self.base_url = ""
        self.received: list[Received] = []
        self.open_connections = 0
        self.idle = asyncio.Event()
        self._answers: list[Canned] = []

    def answers(self, *answers: Canned) -> None:
        self._answers = list(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: Any) -> None:
        self.open_connections += 1
        self.idle.clear()
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.open_connections -= 1
            if not self.open_connections:
                self.idle.set()

    async def _one(self, reader: asyncio.StreamReader, writer: Any) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(head[0].split()[1], headers, body))
        position = min(len(self.received), len(self._answers)) - 1
        return await self._send(self._answers[position], reader, writer)

    async def _send(
        self, answer: Canned, reader: asyncio.StreamReader, writer: Any
    ) -> bool:
        if not answer.bare:
            writer.write(_head(answer))
        for piece in answer.pieces:
            await asyncio.sleep(answer.pause)
            framed = b"%x\r\n%b\r\n" % (len(piece), piece)
            writer.write(piece if answer.bare else framed)
            await writer.drain()
        if answer.end == "hang":
            await reader.read()
        if answer.end == "reset":
            linger = struct.pack("ii", 1, 0)
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if answer.end != "keep":
            return False
        if not answer.bare:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _head(answer: Canned) -> bytes:
    headers = {
        "content-type": "application/json",
        "transfer-encoding": "chunked",
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} Canned"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def canned_server() -> AsyncIterator[CannedServer]:
    """A server on a free port, for as long as the context lasts."""
    canned = CannedServer()
    server = await asyncio.start_server(canned.serve, "127.0.0.1", 0)
    canned.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield canned
