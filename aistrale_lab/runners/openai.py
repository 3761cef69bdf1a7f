"""The `openai` runner: OpenAI, and every endpoint that speaks its API.

The SDK sends the request and gives the raw answer; its event objects would cost
several times the CPU. Its own retries and timeouts are off: the engine owns both.
Proxies are taken from the environment, as the SDK does, and recorded with the run.
"""

from collections.abc import AsyncIterator, Iterator

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.answers import StreamedAnswer, malformed, parse_json
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body, filtered
from aistrale_lab.runners.completion_answers import (
    CompletionAnswer,
    chunk_from_completion,
)
from aistrale_lab.runners.http_errors import (
    error_from_answer,
    is_content_filter,
    rate_limits,
)
from aistrale_lab.runners.openai_errors import FOREIGN, Filtered, to_error
from aistrale_lab.runners.payloads import PATHS, to_payload
from aistrale_lab.runners.responses_answers import ResponsesAnswer, chunk_from_response
from aistrale_lab.runners.sse import SseParser

DONE = b"[DONE]"
ERROR_BYTES = 64 * 1024
"""How much of an error's body is read."""

_STREAMED: dict[str, type[StreamedAnswer]] = {
    "chat": ChatAnswer,
    "completions": CompletionAnswer,
    "responses": ResponsesAnswer,
}
_WHOLE = {
    "chat": chunk_from_body,
    "completions": chunk_from_completion,
    "responses": chunk_from_response,
}
_RAW = {"X-Stainless-Raw-Response": "stream"}
"""The SDK's own switch for answers whose body is not read."""


class OpenAIRunner:
    """One client, with room in its pool for every call in flight."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._path = PATHS[endpoint.api]
        http = DefaultAioHttpClient(
            timeout=httpx2.Timeout(None, connect=endpoint.connect_timeout),
            limits=httpx2.Limits(
                max_connections=endpoint.concurrency + 8, keepalive_expiry=30.0
            ),
            follow_redirects=False,
            event_hooks={"response": [self._refuse]},
        )
        self._client = AsyncOpenAI(
            api_key=endpoint.secret or "none",
            base_url=endpoint.base_url or "https://api.openai.com/v1",
            max_retries=0,
            http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )

    async def open(self) -> None:
        """Nothing is sent before the first call."""

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def models(self) -> list[str]:
        """The names that the endpoint lists, sorted. Raises RunnerError."""
        failure: RunnerError | None = None
        try:
            page = await self._client.models.list()
            return sorted(model.id for model in page.data)
        except FOREIGN as error:
            failure = to_error(error, self._endpoint.secret)
        raise failure

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request once; the first chunk bears what the headers say."""
        failure: RunnerError | None = None
        try:
            response = await self._send(request)
            try:
                yield Chunk(
                    request_id=response.headers.get("x-request-id"),
                    limits=rate_limits(response.headers),
                )
                async for chunk in self._chunks(response, request):
                    yield chunk
            finally:
                await response.aclose()
        except Filtered as answer:
            yield filtered(answer.body)
        except FOREIGN as error:
            failure = to_error(error, self._endpoint.secret)
        if failure is not None:
            raise failure

    async def _send(self, request: Request) -> httpx2.Response:
        return await self._client.post(
            self._path,
            body=to_payload(request, self._endpoint),
            cast_to=httpx2.Response,
            options={"headers": _RAW},
        )

    async def _chunks(
        self, response: httpx2.Response, request: Request
    ) -> AsyncIterator[Chunk]:
        kind = response.headers.get("content-type", "")
        if "text/event-stream" in kind:
            async for chunk in self._events(response, request.max_bytes):
                yield chunk
            return
        body = await _body(response, request.max_bytes)
        if body.lstrip().startswith((b"data:", b"event:")):
            for chunk in self._events_of(body, request.max_bytes):
                yield chunk
            return
        whole = _WHOLE[self._endpoint.api](body)
        if request.stream:
            whole.flags += ("not_streamed",)
        yield whole

    async def _events(
        self, response: httpx2.Response, limit: int
    ) -> AsyncIterator[Chunk]:
        parser = SseParser(limit)
        answer = _STREAMED[self._endpoint.api]()
        try:
            async for received in response.aiter_bytes():
                for payload in parser.feed(received):
                    if payload == DONE:
                        continue
                    chunk = answer.add(parse_json(payload))
                    if chunk is not None:
                        yield chunk
            for payload in parser.finish():
                if payload != DONE:
                    chunk = answer.add(parse_json(payload))
                    if chunk is not None:
                        yield chunk
        except RunnerError as error:
            error.wire = error.wire or parser.wire
            raise
        yield answer.finish(wire=parser.wire)

    def _events_of(self, body: bytes, limit: int) -> Iterator[Chunk]:
        """The chunks of a stream that did not say it was one."""
        parser = SseParser(limit)
        answer = _STREAMED[self._endpoint.api]()
        for payload in parser.feed(body) + parser.finish():
            if payload != DONE and (chunk := answer.add(parse_json(payload))):
                yield chunk
        yield answer.finish(wire=parser.wire)

    async def _refuse(self, response: httpx2.Response) -> None:
        """Raise our own error for any answer but a good one, reading little of it."""
        if response.status_code < 300:
            return
        body = await _body(response, ERROR_BYTES, cut=True)
        await response.aclose()
        if is_content_filter(response.status_code, body):
            raise Filtered(body)
        error = error_from_answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            secret=self._endpoint.secret,
        )
        if response.is_redirect:
            error.message = (
                f"the endpoint redirects ({response.status_code}), which is refused: "
                "the prompt would go elsewhere; set the final base URL"
            )
        raise error


async def _body(response: httpx2.Response, limit: int, *, cut: bool = False) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for received in response.aiter_bytes():
        parts.append(received)
        size += len(received)
        if size > limit:
            if cut:
                break
            raise malformed(f"the answer is larger than {limit} bytes", parts[0])
    return b"".join(parts)
