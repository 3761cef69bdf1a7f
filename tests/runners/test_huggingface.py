"""The Hugging Face runner over real HTTP: chats and text generation."""

import asyncio
import gc
import gzip
import json
import pickle
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from servers.canned import Canned, CannedServer, canned_server

from aistrale_lab import errors
from aistrale_lab.domain.chat import (
    Chunk,
    FinishReason,
    GenerateConfig,
    Message,
    RateLimits,
    Request,
    Usage,
)
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.huggingface import HuggingFaceRunner

KEY = "hf_SECRET0123456789"


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


@pytest.fixture
async def runner(server: CannedServer) -> AsyncIterator[HuggingFaceRunner]:
    async with opened(server.base_url) as runner:
        yield runner


@pytest.fixture
async def tgi(server: CannedServer) -> AsyncIterator[HuggingFaceRunner]:
    async with opened(server.base_url, api="completions") as runner:
        yield runner


class opened:
    """A runner that is closed at the end."""

    def __init__(self, base_url: str, **fields: Any) -> None:
        endpoint = {
            "provider": "huggingface",
            "kind": "huggingface",
            "base_url": base_url,
            "key": SecretStr(KEY),
            **fields,
        }
        self.runner = HuggingFaceRunner(Endpoint.model_validate(endpoint))

    async def __aenter__(self) -> HuggingFaceRunner:
        await self.runner.open()
        return self.runner

    async def __aexit__(self, *_: object) -> None:
        await self.runner.close()


def ask(*, stream: bool = True, max_bytes: int = 1_000_000, **config: Any) -> Request:
    return Request(
        model="org/name",
        messages=(Message(role="user", content="2+2?"),),
        config=GenerateConfig(**config),
        stream=stream,
        max_bytes=max_bytes,
    )


ASK = ask()
ASK_WHOLE = ask(stream=False)


async def answer(runner: HuggingFaceRunner, request: Request = ASK) -> Chunk:
    """All chunks of an answer as one."""
    chunks = [chunk async for chunk in runner.stream(request)]
    last = chunks[-1]
    last.text = "".join(chunk.text for chunk in chunks)
    last.reasoning = "".join(chunk.reasoning for chunk in chunks)
    last.request_id = chunks[0].request_id
    last.limits = chunks[0].limits
    return last


async def failure(runner: HuggingFaceRunner, request: Request = ASK) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        await answer(runner, request)
    return caught.value


def sse(*events: Any, done: bool = True, **fields: Any) -> Canned:
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    if done:
        lines.append(b"data: [DONE]\n\n")
    return Canned(lines, headers={"content-type": "text/event-stream"}, **fields)


def delta(finish: str | None = None, usage: Any = None, **delta: Any) -> Any:
    return {
        "id": "x",
        "model": "org/name-served",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": usage,
    }


def whole(content: Any = "It is 4", finish: str = "stop", **message: Any) -> Canned:
    return Canned(
        json.dumps(
            {
                "model": "org/name-served",
                "choices": [
                    {
                        "index": 0,
                        "message": {"content": content, **message},
                        "finish_reason": finish,
                        "seed": 2**64 - 1,
                    }
                ],
                "usage": {"prompt_tokens": 9, "completion_tokens": 3},
            }
        ).encode()
    )


def said(status: int, body: Any, **headers: str) -> Canned:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Canned(content, status=status, headers=named)


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
FOUR = sse(
    delta(role="assistant", content=""),
    delta(content="It is"),
    delta(content=" 4"),
    delta("stop", usage=USAGE, content=""),
)


class TestChat:
    async def test_a_streamed_answer_comes_token_by_token(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(FOUR)

        chunks = [chunk async for chunk in runner.stream(ASK)]

        assert [chunk.text for chunk in chunks] == ["", "It is", " 4", ""]
        assert chunks[-1].finish_reason is FinishReason.STOP
        assert chunks[-1].usage == Usage(input_tokens=9, output_tokens=3)
        assert chunks[-1].response_model == "org/name-served"
        assert "It is 4" in (chunks[-1].raw or "")

    async def test_a_whole_answer_comes_at_once(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(whole())

        found = await answer(runner, ASK_WHOLE)

        assert (found.text, found.finish_reason) == ("It is 4", FinishReason.STOP)
        assert found.usage == Usage(input_tokens=9, output_tokens=3)
        assert '"seed": 18446744073709551615' in (found.raw or "")

    async def test_the_sdk_makes_the_request(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(FOUR)

        await answer(runner, ask(max_tokens=8, extra={"top_k": 3}))

        [received] = server.received
        assert received.path == "/v1/chat/completions"
        assert received.headers["authorization"] == f"Bearer {KEY}"
        assert "hf_hub/" in received.headers["user-agent"]
        assert received.json == {
            "model": "org/name",
            "messages": [{"role": "user", "content": "2+2?"}],
            "max_tokens": 8,
            "top_k": 3,
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    async def test_the_head_tells_request_id_and_limits(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(
            Canned(
                whole().body,
                headers={
                    "X-Amzn-Trace-Id": "Root=1",
                    "x-ratelimit-remaining-requests": "7",
                    "x-ratelimit-reset-requests": "1m30.5s",
                },
            )
        )

        found = await answer(runner, ASK_WHOLE)

        assert found.request_id == "Root=1"
        assert found.limits == RateLimits(remaining_requests=7, reset_requests=90.5)

    @pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
    async def test_reasoning_is_kept_apart_and_inline_thoughts_stay(
        self, server: CannedServer, runner: HuggingFaceRunner, field: str
    ) -> None:
        streamed = sse(
            delta(**{field: "2 + 2", "content": ""}),
            delta(content="<think>so</think>4"),
            delta("stop"),
        )
        server.answers(streamed, whole("<think>so</think>4", **{field: "2 + 2"}))

        for request in (ASK, ASK_WHOLE):
            found = await answer(runner, request)
            assert found.reasoning == "2 + 2"
            assert found.text == "<think>so</think>4"

    async def test_usage_on_every_other_chunk_is_counted_once(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        partial = {"prompt_tokens": 9, "completion_tokens": 1}
        server.answers(
            sse(
                delta(content="It", usage=partial),
                delta(content=" is"),
                delta(content=" 4", usage=USAGE),
                delta("stop"),
            )
        )

        found = await answer(runner)

        assert found.usage == Usage(input_tokens=9, output_tokens=3)

    async def test_usage_that_never_comes_is_unknown(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(sse(delta(content="4"), delta("stop")))

        found = await answer(runner)

        assert found.usage == Usage()
        assert "usage_missing" in found.flags

    @pytest.mark.parametrize(
        "said, kept",
        [
            ("length", FinishReason.LENGTH),
            ("tool_calls", FinishReason.TOOL_CALLS),
            ("content_filter", FinishReason.CONTENT_FILTER),
            ("eos_token", FinishReason.STOP),
            ("bored", FinishReason.UNKNOWN),
        ],
    )
    async def test_an_empty_answer_is_an_answer(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        said: str,
        kept: FinishReason,
    ) -> None:
        server.answers(whole(None, said), sse(delta(said)))

        for request in (ASK_WHOLE, ASK):
            found = await answer(runner, request)
            assert (found.text, found.finish_reason) == ("", kept)

    async def test_a_stream_without_done_but_with_a_reason_is_whole(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(sse(delta(content="4"), delta("stop"), done=False))

        assert (await answer(runner)).text == "4"

    async def test_a_stream_that_is_done_does_not_wait_for_the_line_to_close(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(sse(delta(content="4"), delta("stop"), end="hang"))

        async with asyncio.timeout(5):
            assert (await answer(runner)).text == "4"

    async def test_a_stream_cut_anywhere_gives_the_exact_text(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        events = sse(delta(content="Gr\u00fc\u00dfe \U0001f600"), delta("stop"))
        body = b"".join(events.pieces).replace(b"\\u00fc", "\u00fc".encode())
        pieces = [body[at : at + 1] for at in range(len(body))]
        server.answers(Canned(pieces, headers=events.headers))

        assert (await answer(runner)).text == "Gr\u00fc\u00dfe \U0001f600"

    @pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream"])
    async def test_a_stream_of_no_type_is_read(
        self, server: CannedServer, runner: HuggingFaceRunner, kind: str
    ) -> None:
        server.answers(Canned(FOUR.body, headers={"content-type": kind}))

        assert (await answer(runner)).text == "It is 4"

    async def test_an_answer_that_ignores_streaming_is_flagged(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(whole())

        found = await answer(runner)

        assert found.text == "It is 4"
        assert "not_streamed" in found.flags

    async def test_a_compressed_answer_is_read(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        body = gzip.compress(b"".join(whole().pieces))
        server.answers(Canned(body, headers={"content-encoding": "gzip"}))

        assert (await answer(runner, ASK_WHOLE)).text == "It is 4"
        assert server.received[0].headers["accept-encoding"] == "identity"


def token(text: str, *, special: bool = False, **last: Any) -> Any:
    spelled = {"id": 5, "text": text, "logprob": -0.1, "special": special}
    return {"index": 1, "token": spelled, "generated_text": None, **last}


DETAILS = {"finish_reason": "length", "generated_tokens": 3, "input_length": 9}


class TestTextGeneration:
    async def test_a_streamed_answer_comes_token_by_token(
        self, server: CannedServer, tgi: HuggingFaceRunner
    ) -> None:
        end = token(" 4", generated_text="It is 4", details=DETAILS)
        server.answers(sse(token("It"), token(" is"), end, done=False))

        found = await answer(tgi)

        assert (found.text, found.finish_reason) == ("It is 4", FinishReason.LENGTH)
        assert found.usage == Usage(input_tokens=9, output_tokens=3)
        assert server.received[0].path == "/"
        assert server.received[0].json == {
            "inputs": "2+2?",
            "parameters": {"details": True, "return_full_text": False},
            "stream": True,
        }

    async def test_a_whole_answer_comes_at_once(
        self, server: CannedServer, tgi: HuggingFaceRunner
    ) -> None:
        server.answers(said(200, [{"generated_text": "It is 4", "details": DETAILS}]))

        found = await answer(tgi, ASK_WHOLE)

        assert (found.text, found.finish_reason) == ("It is 4", FinishReason.LENGTH)
        assert server.received[0].json["stream"] is False

    async def test_the_tokens_of_the_prompt_may_stand_in_a_header(
        self, server: CannedServer, tgi: HuggingFaceRunner
    ) -> None:
        details = {"finish_reason": "length", "generated_tokens": 3, "prefill": []}
        body = [{"generated_text": "It is 4", "details": details}]
        server.answers(said(200, body, x_prompt_tokens="9"))

        found = await answer(tgi, ASK_WHOLE)

        assert found.usage == Usage(input_tokens=9, output_tokens=3)

    async def test_a_stream_without_its_last_event_is_truncated(
        self, server: CannedServer, tgi: HuggingFaceRunner
    ) -> None:
        server.answers(sse(token("It"), done=False))

        error = await failure(tgi)

        assert isinstance(error, errors.TruncatedAnswerError)
        assert b'"text": "It"' in (error.wire or b"")

    @pytest.mark.parametrize("status", [200, 422])
    async def test_a_refusal_of_the_prompt_is_permanent_wherever_it_comes(
        self, server: CannedServer, tgi: HuggingFaceRunner, status: int
    ) -> None:
        refusal = {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` "
            "must be <= 4096. Given: 5000 `inputs` tokens and 20 `max_new_tokens`",
            "error_type": "validation",
        }
        server.answers(sse(refusal, done=False), said(status, refusal))

        for request in (ASK, ASK_WHOLE):
            error = await failure(tgi, request)
            assert isinstance(error, errors.ContextLengthError)
            assert "must be <= 4096" in error.message


ROUTES = pytest.mark.parametrize("request_", [ASK, ASK_WHOLE], ids=["stream", "whole"])


class TestErrorAnswers:
    @ROUTES
    @pytest.mark.parametrize(
        "status, body, kind",
        [
            (401, {"error": "Invalid username or password."}, "AuthenticationError"),
            (402, {"error": "You have exceeded your credits"}, "QuotaError"),
            (403, {"error": "no access to inference"}, "PermissionDeniedError"),
            (404, {"error": "Model org/name does not exist"}, "ModelNotFoundError"),
            (
                400,
                {
                    "error": {
                        "message": "The requested model 'a/b-3.1' is not supported by "
                        "any provider you have enabled.",
                        "code": "model_not_supported",
                    }
                },
                "ModelNotFoundError",
            ),
            (
                422,
                {"error": "Input validation error: bad", "error_type": "validation"},
                "InvalidRequestError",
            ),
            (
                400,
                {"error": {"message": "x", "code": "context_length_exceeded"}},
                "ContextLengthError",
            ),
            (
                429,
                {"error": "Model is overloaded", "error_type": "overloaded"},
                "RateLimitError",
            ),
            (
                424,
                {"error": "Request failed", "error_type": "generation"},
                "ServerError",
            ),
            (500, {"error": "x", "error_type": "incomplete_generation"}, "ServerError"),
            (502, b"<html><h1>Bad gateway</h1></html>", "ServerError"),
            (503, b"", "ServerError"),
            (529, {"error": "overloaded"}, "ServerError"),
        ],
    )
    async def test_each_status_has_its_error(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        request_: Request,
        status: int,
        body: Any,
        kind: str,
    ) -> None:
        server.answers(said(status, body, x_request_id="req_1"))

        error = await failure(runner, request_)

        assert type(error).__name__ == kind
        assert (error.status, error.request_id) == (status, "req_1")
        assert len(server.received) == 1

    async def test_a_model_that_loads_says_how_long(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        loading = {"error": "Model x is currently loading", "estimated_time": 20.0}
        server.answers(said(503, loading))

        error = await failure(runner)

        assert isinstance(error, errors.ServerError)
        assert error.retry_after == 20.0
        assert "loading" in error.message

    @pytest.mark.parametrize(
        "headers, seconds",
        [
            ({"ratelimit": '"api";r=0;t=55'}, 55.0),
            ({"retry_after": "1.0"}, 1.0),
            ({"retry_after_ms": "250"}, 0.25),
            ({}, None),
        ],
    )
    async def test_a_rate_limit_says_how_long(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        headers: dict[str, str],
        seconds: float | None,
    ) -> None:
        server.answers(said(429, {"error": "slow down"}, **headers))

        error = await failure(runner)

        assert isinstance(error, errors.RateLimitError)
        assert error.retry_after == seconds

    async def test_a_filtered_prompt_is_an_answer(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(said(400, {"error": {"code": "content_filter"}}))

        found = await answer(runner)

        assert found.finish_reason is FinishReason.CONTENT_FILTER

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_is_refused(
        self, server: CannedServer, runner: HuggingFaceRunner, status: int
    ) -> None:
        async with canned_server() as elsewhere:
            server.answers(said(status, b"", location=f"{elsewhere.base_url}/x?k=1"))

            error = await failure(runner)

            assert isinstance(error, errors.InvalidRequestError)
            assert error.stops_lane
            assert "redirects to http://127.0.0.1 " in error.message
            assert elsewhere.received == []


class TestBrokenAnswers:
    @ROUTES
    @pytest.mark.parametrize("api", ["chat", "completions"])
    @pytest.mark.parametrize(
        "body",
        [
            b"<!DOCTYPE html><html>Sign in</html>",
            b"null",
            b"[]",
            b"7",
            b'"text"',
            b"",
            b'{"choices": [{"mess',
            b'{"choices": null}',
            b'{"choices": []}',
            b'{"choices": [{}]}',
            b"{}",
            b"[" * 200_000,
        ],
    )
    async def test_what_is_no_answer_is_malformed(
        self, server: CannedServer, api: str, request_: Request, body: bytes
    ) -> None:
        server.answers(Canned(body))

        async with opened(server.base_url, api=api) as runner:
            error = await failure(runner, request_)

        assert isinstance(error, errors.MalformedAnswerError)
        assert error.transient
        assert len(error.raw or "") <= 2_000

    @pytest.mark.parametrize("kind", ["text/html", "text/event-stream", "text/plain"])
    async def test_html_as_a_stream_is_no_empty_success(
        self, server: CannedServer, runner: HuggingFaceRunner, kind: str
    ) -> None:
        page = b"<html>\n\n<p>data: none</p>\n\n</html>\n"
        server.answers(Canned(page, headers={"content-type": kind}))

        assert isinstance(await failure(runner), errors.MalformedAnswerError)

    @pytest.mark.parametrize("done", [True, False])
    @pytest.mark.parametrize("events", [[], [delta(content="It")]])
    async def test_a_stream_without_a_reason_is_truncated(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        events: list[Any],
        done: bool,
    ) -> None:
        server.answers(sse(*events, done=done))

        error = await failure(runner)

        assert isinstance(error, errors.TruncatedAnswerError)
        assert error.transient

    @ROUTES
    @pytest.mark.parametrize("end", ["cut", "reset"])
    async def test_a_connection_that_breaks_is_told_and_what_came_is_kept(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        request_: Request,
        end: Any,
    ) -> None:
        server.answers(sse(delta(content="It"), done=False, end=end))

        error = await failure(runner, request_)

        assert isinstance(error, errors.ConnectionFailedError)
        if end == "cut":  # a reset may overtake what was sent before it
            assert b'"It"' in (error.wire or b"")

    @pytest.mark.parametrize(
        "event",
        [b'data: {"choices": [\n\n', b'data: {"a": "\xff"}\n\n', b"data: 7\n\n"],
    )
    async def test_an_event_that_cannot_be_read_is_malformed(
        self, server: CannedServer, runner: HuggingFaceRunner, event: bytes
    ) -> None:
        server.answers(Canned([*FOUR.pieces[:2], event], headers=FOUR.headers))

        error = await failure(runner)

        assert isinstance(error, errors.MalformedAnswerError)
        assert event.strip() in (error.wire or b"")

    @pytest.mark.parametrize(
        "event, kind, text",
        [
            ({"error": {"message": "CUDA error"}}, "ServerError", "CUDA error"),
            ({"error": "CUDA error"}, "ServerError", "CUDA error"),
            (
                {"error": "Model is overloaded", "error_type": "overloaded"},
                "RateLimitError",
                "overloaded",
            ),
            (
                {"error": "`top_p` must be < 1.0", "error_type": "validation"},
                "InvalidRequestError",
                "top_p",
            ),
        ],
    )
    async def test_an_error_in_mid_stream_is_an_error_with_its_text(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        event: Any,
        kind: str,
        text: str,
    ) -> None:
        server.answers(sse(delta(content="It"), event))

        error = await failure(runner)

        assert type(error).__name__ == kind
        assert text in error.message

    @ROUTES
    async def test_an_endless_answer_is_cut_off(
        self, server: CannedServer, runner: HuggingFaceRunner, request_: Request
    ) -> None:
        pings = [b": ping\n\n" * 1000] * 200
        server.answers(Canned(pings, headers={"content-type": "text/event-stream"}))

        error = await failure(runner, request_.model_copy(update={"max_bytes": 50_000}))

        assert isinstance(error, errors.MalformedAnswerError)
        assert "larger than 50000 bytes" in error.message

    @ROUTES
    async def test_a_gzip_bomb_is_cut_off(
        self, server: CannedServer, runner: HuggingFaceRunner, request_: Request
    ) -> None:
        bomb = gzip.compress(b" " * 100_000_000)
        server.answers(Canned(bomb, headers={"content-encoding": "gzip"}))

        error = await failure(runner, request_)

        assert isinstance(error, errors.MalformedAnswerError)
        assert "larger than" in error.message

    async def test_a_coding_that_was_not_asked_for_is_refused(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(Canned(b"x", headers={"content-encoding": "br"}))

        error = await failure(runner)

        assert isinstance(error, errors.MalformedAnswerError)
        assert "'br'" in error.message


class TestConnections:
    async def test_a_refused_connection_tells_where_and_why(
        self, unused_url: str
    ) -> None:
        async with opened(unused_url) as runner:
            error = await failure(runner)

        assert isinstance(error, errors.ConnectionFailedError)
        assert error.code == "unreachable"
        assert unused_url in error.message

    async def test_a_name_that_does_not_exist_is_unreachable(self) -> None:
        async with opened("http://no-such-host.invalid") as runner:
            error = await failure(runner)

        assert isinstance(error, errors.ConnectionFailedError)
        assert error.code == "unreachable"

    @pytest.mark.parametrize("answers", [[], [FOUR.pieces[0]]])
    async def test_a_server_that_hangs_is_left_at_the_deadline(
        self, server: CannedServer, runner: HuggingFaceRunner, answers: list[bytes]
    ) -> None:
        server.answers(Canned(answers, headers=FOUR.headers, end="hang"))

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await answer(runner)
        await asyncio.wait_for(server.idle.wait(), 5)

        assert server.open_connections == 0

    async def test_leaving_a_stream_early_closes_its_connection(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(Canned(FOUR.pieces[:2], headers=FOUR.headers, end="hang"))

        chunks = runner.stream(ASK)
        await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(server.idle.wait(), 5)

        assert server.open_connections == 0

    async def test_a_good_call_follows_a_broken_one(
        self, server: CannedServer, runner: HuggingFaceRunner
    ) -> None:
        server.answers(said(500, {"error": "bad input"}), sse(end="cut"), FOUR)

        await failure(runner)
        await failure(runner)

        assert (await answer(runner)).text == "It is 4"

    async def test_many_calls_share_few_connections_and_leave_nothing(
        self, server: CannedServer
    ) -> None:
        server.answers(FOUR)
        async with opened(server.base_url, concurrency=8) as runner:
            await asyncio.gather(*(answer(runner) for _ in range(8)))
            before = living()
            for _ in range(125):
                await asyncio.gather(*(answer(runner) for _ in range(8)))
            calls = len(server.received)
            server.received.clear()
            after = living()

            assert server.open_connections <= 16
        assert calls == 1_008
        assert after - before < 500


@pytest.fixture
async def unused_url() -> str:
    async with canned_server() as gone:
        return gone.base_url


def living() -> int:
    """How many objects the collector knows."""
    gc.collect()
    return len(gc.get_objects())


class TestSecrets:
    @ROUTES
    @pytest.mark.parametrize(
        "echo",
        [
            said(401, {"error": f"Invalid token {KEY}"}, x_request_id="r"),
            said(500, f"<p>Authorization: Bearer {KEY}</p>".encode()),
            sse({"error": f"no access with {KEY}"}),
            Canned(f"who is {KEY}?".encode()),
            sse(end="reset"),
        ],
    )
    async def test_the_key_is_in_no_error(
        self,
        server: CannedServer,
        runner: HuggingFaceRunner,
        request_: Request,
        echo: Canned,
    ) -> None:
        server.answers(echo)

        error = await failure(runner, request_)

        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        assert "SECRET" not in shown
        assert b"SECRET" not in pickle.dumps(error)
        assert error.__cause__ is None
        assert error.__context__ is None

    async def test_the_key_is_in_no_repr(self, runner: HuggingFaceRunner) -> None:
        assert "SECRET" not in repr(runner)

    @pytest.mark.parametrize("api", ["chat", "completions"])
    async def test_no_token_is_taken_from_the_environment(
        self, server: CannedServer, api: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", KEY)
        server.answers(FOUR)

        async with opened(server.base_url, api=api, key=None) as runner:
            with pytest.raises(RunnerError) if api == "completions" else nothing():
                await answer(runner)

        assert "authorization" not in server.received[0].headers


class nothing:
    """A context in which nothing is expected."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


RECORDED = "router.huggingface.co"
OURS = ("model", "messages", "stream", "max_tokens")


class TestRecordedAnswers:
    """What the Hugging Face router really answered."""

    @pytest.fixture
    def recorded(self, shared_data: Path) -> list[dict[str, Any]]:
        with gzip.open(shared_data / "wire_answers.jsonl.gz", "rt") as lines:
            answers = [json.loads(line) for line in lines]
        return [one for one in answers if one["host"] == RECORDED]

    async def test_each_passes_with_the_right_outcome(
        self, server: CannedServer, recorded: list[dict[str, Any]]
    ) -> None:
        assert len(recorded) == 10
        for one in recorded:
            asked, body = one["request"], one["body"].encode()
            server.answers(Canned(body, status=one["status"], headers=one["headers"]))
            route = one["path"].removesuffix("/v1/chat/completions")
            async with opened(server.base_url + route) as runner:
                found = await answer(runner, as_request(asked))

            [choice] = json.loads(body)["choices"]
            usage = json.loads(body)["usage"]
            assert found.text == (choice["message"]["content"] or "")
            assert found.finish_reason == choice["finish_reason"]
            assert found.response_model == asked["model"]
            assert found.usage is not None
            assert found.usage.input_tokens == usage["prompt_tokens"]
            assert found.usage.output_tokens == usage["completion_tokens"]
            assert found.raw == body.decode()
            assert server.received[-1].path == one["path"]


def as_request(asked: dict[str, Any]) -> Request:
    """The recorded request; what ours has no field for travels in `extra`."""
    messages = tuple(
        Message(role=turn["role"], content=turn["content"])
        for turn in asked["messages"]
    )
    return Request(
        model=asked["model"],
        messages=messages,
        stream=asked["stream"],
        config=GenerateConfig(
            max_tokens=asked.get("max_tokens"),
            extra={name: asked[name] for name in asked if name not in OURS},
        ),
    )
