"""The `huggingface` runner: the router's models, and endpoints of one's own.

The SDK makes the request; the raw answer is read here. Nothing is retried, no
redirect is followed, and the token goes to the endpoint's address alone.
"""

import json
from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter
from typing import Any

import aiohttp
import httpx2
from openai import DefaultAioHttpClient

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.answer_stream import (
    StreamedAnswer,
    WholeAnswer,
    read_answer,
    read_body,
)
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.answers import filtered
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body
from aistrale_lab.runners.http_errors import is_content_filter, rate_limits, without_key
from aistrale_lab.runners.huggingface_errors import (
    answer_error,
    raise_for_event,
    request_id,
    runner_error,
)
from aistrale_lab.runners.huggingface_requests import HuggingFaceRequests
from aistrale_lab.runners.text_generation_answers import (
    TextGenerationAnswer,
    text_generation_from_body,
)

_SENT_AT = "aistrale_sent_at"
_ERROR_BYTES = 64 * 1024
"""How much of an error's body is read."""

_FOREIGN = (
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    aiohttp.ClientError,
    OSError,
    ValueError,
)
"""What the HTTP client and the libraries below it raise in a call."""


class HuggingFaceRunner:
    """One client, with room in its pool for every call in flight.

    `api` "chat" is chat_completion; "completions" is text_generation, whose `extra`
    settings go among the parameters. A `response_format` is translated as the SDK
    does; one in `extra` is sent as it is.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._requests = HuggingFaceRequests(endpoint)
        # The SDK would take any httpx2 client; this one, on aiohttp, costs a third
        # of the CPU when many calls are in flight.
        self._client = DefaultAioHttpClient(
            timeout=httpx2.Timeout(None, connect=endpoint.connect_timeout),
            limits=httpx2.Limits(
                max_connections=endpoint.concurrency + 8, keepalive_expiry=30.0
            ),
            follow_redirects=False,
        )

    async def open(self) -> None:
        """Nothing is sent before the first call."""

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request once; the first chunk bears what the headers say."""
        failure: RunnerError | None = None
        try:
            response = await self._send(request)
            try:
                async for chunk in self._chunks(response, request):
                    yield chunk
            finally:
                await response.aclose()
        except RunnerError as error:
            failure = error
        except _FOREIGN as error:
            failure = self._error(error)
        if failure is not None:  # raised out here, lest it drag the request along
            raise without_key(failure, self._endpoint.secret)

    async def _send(self, request: Request) -> httpx2.Response:
        built = await self._requests.build(request)
        made = self._client.build_request(
            "POST",
            built.url,
            headers=built.headers,
            content=json.dumps(built.json, separators=(",", ":")).encode(),
        )
        made.extensions[_SENT_AT] = perf_counter()
        return await self._client.send(made, stream=True)

    async def _chunks(
        self, response: httpx2.Response, request: Request
    ) -> AsyncIterator[Chunk]:
        headers = response.headers
        yield Chunk(
            request_id=request_id(headers),
            limits=rate_limits(headers),
            sent_at=response.request.extensions[_SENT_AT],
        )
        if response.status_code >= 300:
            yield await self._refused(response)
            return
        texts = self._endpoint.api == "completions"
        streamed: StreamedAnswer = TextGenerationAnswer() if texts else _Chat()
        whole: WholeAnswer = chunk_from_body
        if texts:
            tokens = headers.get("x-prompt-tokens")
            whole = partial(text_generation_from_body, prompt_tokens=tokens)
        async for chunk in read_answer(
            response, request, streamed=streamed, whole=whole, error_of=self._error
        ):
            yield chunk

    def _error(self, error: Exception) -> RunnerError:
        return runner_error(error, where=self._requests.url)

    async def _refused(self, response: httpx2.Response) -> Chunk:
        """The answer that a content filter kept back; every other refusal raises."""
        body = await read_body(response, _ERROR_BYTES, cut=True)
        if is_content_filter(response.status_code, body):
            return filtered(body)
        raise answer_error(
            response.status_code,
            headers=response.headers,
            body=body,
            secret=self._endpoint.secret,
        )


class _Chat(ChatAnswer):
    """A chat whose error events may be those of text-generation-inference."""

    def add(self, event: dict[str, Any]) -> Chunk | None:
        if "error" in event:
            raise_for_event(event)
        return super().add(event)
