"""The `openai` runner: OpenAI, and every endpoint that speaks its API.

The SDK sends the request and gives the raw answer; its event objects would cost
several times the CPU. Its own retries and timeouts are off: the engine owns both.
Proxies are taken from the environment, as the SDK does, and recorded with the run.
"""

from collections.abc import AsyncIterator
from time import perf_counter

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import MalformedAnswerError, RunnerError
from aistrale_lab.runners.answer_stream import (
    StreamedAnswer,
    WholeAnswer,
    read_answer,
    read_body,
)
from aistrale_lab.runners.base import Endpoint, check_key
from aistrale_lab.runners.answers import filtered
from aistrale_lab.runners.chat_answers import ChatAnswer, chunk_from_body
from aistrale_lab.runners.completion_answers import (
    CompletionAnswer,
    chunk_from_completion,
)
from aistrale_lab.runners.http_errors import (
    error_from_answer,
    is_content_filter,
    rate_limits,
    without_key,
)
from aistrale_lab.runners.openai_errors import FOREIGN, Filtered, to_error
from aistrale_lab.runners.payloads import PATHS, to_payload
from aistrale_lab.runners.responses_answers import ResponsesAnswer, chunk_from_response

_ONE_TRY = "one-try"
"""Keeps the SDK from drawing a random key for retries that it never makes."""

SENT_AT = "aistrale_sent_at"
ERROR_BYTES = 64 * 1024
"""How much of an error's body is read."""

_STREAMED: dict[str, type[StreamedAnswer]] = {
    "chat": ChatAnswer,
    "completions": CompletionAnswer,
    "responses": ResponsesAnswer,
}
_WHOLE: dict[str, WholeAnswer] = {
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
        if endpoint.secret is not None:
            check_key(endpoint.secret, variable=f"the key of {endpoint.provider}")
        http = DefaultAioHttpClient(
            timeout=httpx2.Timeout(None, connect=endpoint.connect_timeout),
            limits=httpx2.Limits(
                max_connections=endpoint.concurrency + 8, keepalive_expiry=30.0
            ),
            follow_redirects=False,
            trust_env=endpoint.options.get("trust_env", True),
            event_hooks={"request": [_stamp], "response": [self._refuse]},
        )
        self._client = AsyncOpenAI(
            api_key=endpoint.secret or "none",
            base_url=endpoint.base_url or "https://api.openai.com/v1",
            max_retries=0,
            http_client=http,
            default_headers={"Accept-Encoding": "identity"},
        )
        # whole: the SDK would join a path to the base anew for each call
        base_url = str(self._client.base_url).removesuffix("/")
        self._url = base_url + PATHS[endpoint.api]

    async def open(self) -> None:
        """Nothing is sent before the first call."""

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def models(self) -> list[str]:
        """The names that the endpoint lists, sorted. Raises RunnerError."""
        failure: RunnerError
        try:
            page = await self._client.models.list()
            return sorted(model.id for model in page.data)
        except RunnerError as error:
            failure = error
        except (AttributeError, TypeError):  # the SDK checks no shape
            failure = MalformedAnswerError(
                "what the endpoint gives for /models is no list of models"
            )
        except FOREIGN as error:
            failure = self._error(error)
        raise without_key(failure, self._endpoint.secret)

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
        except Filtered as answer:
            yield filtered(answer.body)
        except RunnerError as error:
            failure = error
        except FOREIGN as error:
            failure = self._error(error)
        if failure is not None:  # raised out here, lest it drag the request along
            raise without_key(failure, self._endpoint.secret)

    async def _send(self, request: Request) -> httpx2.Response:
        return await self._client.post(
            self._url,
            body=to_payload(request, self._endpoint),
            cast_to=httpx2.Response,
            options={"headers": _RAW, "idempotency_key": _ONE_TRY},
        )

    async def _chunks(
        self, response: httpx2.Response, request: Request
    ) -> AsyncIterator[Chunk]:
        headers = response.headers
        yield Chunk(
            request_id=headers.get("x-request-id"),
            limits=rate_limits(headers),
            sent_at=response.request.extensions.get(SENT_AT),
        )
        api = self._endpoint.api
        async for chunk in read_answer(
            response,
            request,
            streamed=_STREAMED[api](),
            whole=_WHOLE[api],
            error_of=self._error,
        ):
            yield chunk

    def _error(self, error: Exception) -> RunnerError:
        return to_error(error, self._endpoint.secret)

    async def _refuse(self, response: httpx2.Response) -> None:
        """Raise our own error for any answer but a good one, reading little of it."""
        status = response.status_code
        if status < 300:
            return
        body = await read_body(response, ERROR_BYTES, cut=True)
        await response.aclose()
        if is_content_filter(status, body):
            raise Filtered(body)
        raise error_from_answer(
            status=status,
            headers=response.headers,
            body=body,
            secret=self._endpoint.secret,
        )


async def _stamp(request: httpx2.Request) -> None:
    """Note when the request goes out: making it is our time, not the model's."""
    request.extensions[SENT_AT] = perf_counter()
