"""Server-sent events from raw bytes, as the WHATWG standard reads them.

Only what model APIs use: the data of each event. Comments, ids and event names are
passed over (their payloads name themselves). The size is capped, and the first bytes
are kept, so that an answer that cannot be read can be shown.
"""

from aistrale_lab.errors import MalformedAnswerError

WIRE_KEPT = 64 * 1024
"""Bytes of a stream that are kept for the case that it cannot be read."""


class SseParser:
    """Bytes in, in any cut; the payloads of complete events out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._rest: list[bytes] = []
        self._lines: list[bytes] = []
        self._wire: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The payloads of the events that these bytes complete.

        Raises MalformedAnswerError once the stream is larger than the limit.
        """
        if self._size < WIRE_KEPT:
            self._wire.append(received)
        self._size += len(received)
        if self._size > self._limit:
            raise MalformedAnswerError(
                f"the answer is larger than {self._limit} bytes", wire=self.wire
            )
        held = bool(self._rest) and self._rest[-1].endswith(b"\r")
        self._rest.append(received)
        if not (b"\n" in received or b"\r" in received or held):
            return []  # joining at every piece would cost the square of a long line
        text = b"".join(self._rest)
        if b"\r" in text:
            text = _unix_lines(text)
        lines = text.split(b"\n")
        self._rest = [lines.pop()]
        return self._events(lines)

    def finish(self) -> list[bytes]:
        """The payload of a last event that no blank line ended, if it is there."""
        lines = [b"".join(self._rest).rstrip(b"\r"), b""]
        self._rest = []
        return self._events(lines)

    @property
    def wire(self) -> bytes:
        """The first bytes of the stream, as they came."""
        return b"".join(self._wire)[:WIRE_KEPT]

    @property
    def size(self) -> int:
        """How many bytes came."""
        return self._size

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if not line:
                if self._lines:
                    events.append(b"\n".join(self._lines))
                    self._lines = []
            elif line.startswith(b"data:"):
                self._lines.append(line[6:] if line[5:6] == b" " else line[5:])
        return events


def _unix_lines(text: bytes) -> bytes:
    """CRLF and CR as LF; a CR at the very end may be half of a CRLF and stays."""
    held = text.endswith(b"\r")
    body = text[:-1] if held else text
    body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return body + b"\r" if held else body
