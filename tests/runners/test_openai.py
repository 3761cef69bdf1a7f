"""The openai runner over real HTTP: what it sends, and what it makes of the head."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import KEY, four, question, refusal, runner_of, sse, whole

from aistrale_lab.domain.chat import Chunk, FinishReason, RateLimits, Request, Usage
from aistrale_lab.errors import (
    AuthenticationError,
    MalformedAnswerError,
    RateLimitError,
)
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.openai import OpenAIRunner

EVENTS = {"content-type": "text/event-stream"}


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


@pytest.fixture
async def runner(server: CannedServer) -> AsyncIterator[Any]:
    runner = runner_of(server.base_url)
    await runner.open()
    yield runner
    await runner.close()


async def answer(runner: OpenAIRunner, request: Request) -> Chunk:
    """All chunks of an answer as one."""
    chunks = [chunk async for chunk in runner.stream(request)]
    last = chunks[-1]
    last.text = "".join(chunk.text for chunk in chunks)
    last.request_id, last.limits = chunks[0].request_id, chunks[0].limits
    return last


async def test_the_sdk_makes_the_request(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    server.answers(four())

    await answer(runner, question())

    [received] = server.received
    assert received.path == "/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["user-agent"].startswith("AsyncOpenAI/Python")
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["x-stainless-retry-count"] == "0"
    assert received.json == {
        "model": "org/name",
        "messages": [{"role": "user", "content": "2+2?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_an_answer_comes_token_by_token(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    server.answers(four())

    chunks = [chunk async for chunk in runner.stream(question())]

    assert [chunk.text for chunk in chunks] == ["", "It is", " 4", ""]
    assert chunks[-1].finish_reason is FinishReason.STOP
    assert chunks[-1].usage == Usage(input_tokens=9, output_tokens=3)


async def test_a_token_is_passed_on_before_the_next_one_comes(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    first = json.dumps({"choices": [{"delta": {"content": "4"}}]}).encode()
    server.answers(Canned([b"data: " + first + b"\n\n"], headers=EVENTS, end="hang"))

    chunks = runner.stream(question())
    async with asyncio.timeout(2):
        said = [(await anext(chunks)).text for _ in range(2)]
    await chunks.aclose()  # type: ignore[attr-defined]  # it is a generator
    await asyncio.wait_for(server.idle.wait(), 1.0)

    assert said == ["", "4"]


async def test_the_head_tells_request_id_and_limits(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    headers = {
        "X-Request-ID": "req_1",
        "x-ratelimit-remaining-requests": "7",
        "x-ratelimit-reset-requests": "1m30.5s",
        "content-type": "application/json",
    }
    server.answers(Canned(whole().body, headers=headers))

    found = await answer(runner, question(stream=False))

    assert found.request_id == "req_1"
    assert found.limits == RateLimits(remaining_requests=7, reset_requests=90.5)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
async def test_the_sdk_itself_retries_nothing(
    server: CannedServer, runner: OpenAIRunner, status: int
) -> None:
    server.answers(refusal(status, "no", retry_after="0"), four())

    with pytest.raises(Exception, match=str(status)):
        await answer(runner, question())

    assert len(server.received) == 1


async def test_the_error_says_what_the_provider_said(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    server.answers(
        refusal(429, "slow down", "rate_limit", retry_after="3", x_request_id="req_1")
    )

    with pytest.raises(RateLimitError) as caught:
        await answer(runner, question())

    error = caught.value
    assert (error.status, error.code, error.request_id) == (429, "rate_limit", "req_1")
    assert error.message == "429: slow down"
    assert error.retry_after == 3.0
    assert "slow down" in (error.raw or "")


async def test_one_connection_serves_many_calls(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    server.answers(four(), whole(), refusal(400, "no"), four())

    await answer(runner, question())
    await answer(runner, question(stream=False))
    with pytest.raises(Exception, match="no"):
        await answer(runner, question())
    await answer(runner, question())

    assert server.open_connections == 1


async def test_a_hundred_calls_are_in_flight_at_once(server: CannedServer) -> None:
    server.answers(Canned(bare=True, end="hang"))
    runner: Any = runner_of(server.base_url, concurrency=100)
    calls = [asyncio.create_task(answer(runner, question())) for _ in range(100)]
    async with asyncio.timeout(10):
        while len(server.received) < 100:
            await asyncio.sleep(0.005)

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.wait_for(server.idle.wait(), 2.0)
    await runner.close()

    assert server.open_connections == 0


async def test_a_closed_runner_leaves_nothing_open(server: CannedServer) -> None:
    server.answers(four())
    runner: Any = runner_of(server.base_url)
    await answer(runner, question())

    await runner.close()
    del runner
    gc.collect()  # an unclosed session would warn here, and warnings are errors

    await asyncio.wait_for(server.idle.wait(), 1.0)


async def test_an_endpoint_without_a_key_sends_none_of_the_users(
    server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid")
    server.answers(four())
    runner = OpenAIRunner(
        Endpoint(provider="local", kind="openai", base_url=server.base_url)
    )

    await answer(runner, question())
    await runner.close()

    assert KEY not in str(server.received[0].headers)


async def test_the_models_of_an_endpoint_are_listed(
    server: CannedServer, runner: OpenAIRunner
) -> None:
    listed = {"object": "list", "data": [{"id": "b"}, {"id": "a"}]}
    server.answers(Canned(json.dumps(listed).encode()), refusal(401, f"bad {KEY}"))

    assert await runner.models() == ["a", "b"]
    with pytest.raises(AuthenticationError, match="bad .redacted."):
        await runner.models()


@pytest.mark.parametrize("body", [b"null", b'{"data": null}', b"[1]", b'{"data": [3]}'])
async def test_what_is_no_list_of_models_is_an_error_of_ours(
    server: CannedServer, runner: OpenAIRunner, body: bytes
) -> None:
    server.answers(Canned(body))

    with pytest.raises(MalformedAnswerError, match="no list of models"):
        await runner.models()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_text_is_completed(server: CannedServer, stream: bool) -> None:
    piece = {"choices": [{"index": 0, "text": "4", "finish_reason": None}]}
    last = {"choices": [{"index": 0, "text": "2", "finish_reason": "length"}]}
    body = {"choices": [{"text": "42", "finish_reason": "length"}]}
    server.answers(sse(piece, last) if stream else Canned(json.dumps(body).encode()))
    runner: Any = runner_of(server.base_url, api="completions")

    found = await answer(runner, question(stream=stream))
    await runner.close()

    assert server.received[0].path == "/completions"
    assert (found.text, found.finish_reason) == ("42", FinishReason.LENGTH)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_response_is_made(server: CannedServer, stream: bool) -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "42"}]}
    usage = {"input_tokens": 9, "output_tokens": 3}
    body = {"status": "completed", "model": "m", "output": [said], "usage": usage}
    events = [
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "4"},
        {"type": "response.output_text.delta", "delta": "2"},
        {"type": "response.completed", "response": body},
    ]
    server.answers(
        sse(*events, done=False) if stream else Canned(json.dumps(body).encode())
    )
    runner: Any = runner_of(server.base_url, api="responses")

    found = await answer(runner, question(stream=stream))
    await runner.close()

    assert server.received[0].path == "/responses"
    assert (found.text, found.finish_reason) == ("42", FinishReason.STOP)
    assert found.usage == Usage(input_tokens=9, output_tokens=3)
