"""Reads an HTTP answer, streamed or whole, and turns it into chunks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import aiohttp
import httpx2

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import MalformedAnswerError, RunnerError
from aistrale_lab.runners.answers import malformed, parse_json
from aistrale_lab.runners.sse import SseParser

_DONE = b"[DONE]"
_AFTER_DONE = 0.05
"""Seconds that the end of the body may take after the stream said it was done."""
_KNOWN_CODINGS = frozenset({"", "identity", "gzip", "deflate"})
_ODD_SHAPE = (AttributeError, IndexError, KeyError, RecursionError, TypeError)
"""What reading JSON of another shape than the API's raises."""


class StreamedAnswer(Protocol):
    """Assembles one streamed answer of an API."""

    def add(self, event: dict[str, Any]) -> Chunk | None:
        """Take in an event; the text it brought, if any."""

    def finish(self, *, wire: bytes) -> Chunk:
        """The last chunk; raises TruncatedAnswerError if the answer broke off."""


WholeAnswer = Callable[[bytes], Chunk]
"""Makes a whole body the only chunk."""

ErrorOf = Callable[[Exception], RunnerError]
"""Turns what the HTTP client raised, or an error of ours, into one of ours."""


async def read_answer(
    response: httpx2.Response,
    request: Request,
    *,
    streamed: StreamedAnswer,
    whole: WholeAnswer,
    error_of: ErrorOf,
) -> AsyncIterator[Chunk]:
    """The chunks of a good answer; one that is not streamed though asked is flagged.

    Raises RunnerError, with the first bytes of the stream as `wire`.
    """
    if not _is_stream(response, request):
        body = await read_body(response, request.max_bytes)
        try:
            for chunk in _chunks_of(body, request, streamed=streamed, whole=whole):
                yield chunk
        except _ODD_SHAPE:
            raise malformed("the answer has an unknown shape", body) from None
        return
    parser = SseParser(request.max_bytes)
    try:
        async for event in _events(response, parser):
            found = streamed.add(event)
            if found is not None:
                yield found
        yield streamed.finish(wire=parser.wire)
    except (RunnerError, httpx2.HTTPError, aiohttp.ClientError) as error:
        failure = error_of(error)
        failure.wire = failure.wire or parser.wire
        raise failure from None
    except _ODD_SHAPE:
        failure = malformed("an event has an unknown shape", parser.wire)
        failure.wire = parser.wire
        raise failure from None


async def read_body(
    response: httpx2.Response, limit: int, *, cut: bool = False
) -> bytes:
    """The whole body, or with `cut` its beginning.

    Raises MalformedAnswerError for one that is larger than the limit.
    """
    parts: list[bytes] = []
    size = 0
    async for received in _decoded(response):
        parts.append(received)
        size += len(received)
        if size > limit:
            if cut:
                break
            raise malformed(f"the answer is larger than {limit} bytes", parts[0])
    return b"".join(parts)[:limit]


def _chunks_of(
    body: bytes, request: Request, *, streamed: StreamedAnswer, whole: WholeAnswer
) -> Iterator[Chunk]:
    """The chunks of a body, which may be a stream that does not say it is one."""
    if not body.startswith((b"data:", b"event:")):
        chunk = whole(body)
        if request.stream:
            chunk.flags += ("not_streamed",)
        yield chunk
        return
    parser = SseParser(len(body))
    for payload in parser.feed(body) + parser.finish():
        found = None if payload == _DONE else streamed.add(parse_json(payload))
        if found is not None:
            yield found
    yield streamed.finish(wire=parser.wire)


def _is_stream(response: httpx2.Response, request: Request) -> bool:
    """By its type; servers that name none stream if they were asked to."""
    kind = response.headers.get("content-type", "").lower()
    if "text/event-stream" in kind:
        return True
    return request.stream and not ("json" in kind or "html" in kind)


async def _events(
    response: httpx2.Response, parser: SseParser
) -> AsyncIterator[dict[str, Any]]:
    pieces = _decoded(response)
    seen = False
    async for received in pieces:
        for payload in parser.feed(received):
            seen = True
            if payload == _DONE:
                await _drain(pieces)
                return
            yield parse_json(payload)
    for payload in parser.finish():
        seen = True
        if payload != _DONE:
            yield parse_json(payload)
    if parser.size and not seen:
        raise malformed("the answer is no stream of events", parser.wire)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read up to the end, so that the connection can serve the next call.

    A server that is done and holds the line gets a new connection instead.
    """
    try:
        async with asyncio.timeout(_AFTER_DONE):
            async for _ in pieces:
                pass
    except (TimeoutError, httpx2.HTTPError):
        pass  # the answer is complete without it


def _decoded(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body, decompressed piece by piece, each of a bounded size.

    Answers are asked for uncompressed; those codings that come anyway are refused
    where one received piece could fill the memory.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in _KNOWN_CODINGS:
        raise MalformedAnswerError(f"the answer is compressed as {coding!r}, unasked")
    return response.aiter_bytes()
