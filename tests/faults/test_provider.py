"""Rows 1 to 22 of the fault matrix: what providers answer."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import perf_counter
from typing import Any

import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import (
    KEY,
    KINDS,
    LAST,
    ask,
    delta,
    four,
    open_lane,
    question,
    refusal,
    run,
    said_by,
    sse,
    texts,
    whole,
)

from aistrale_lab.domain.chat import FinishReason, Usage
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.execute import Stop
from aistrale_lab.engine.generate import generate
from aistrale_lab.engine.outcome import Outcome
from aistrale_lab.engine.pace import Parked

WHOLE = question(stream=False)


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


def failed_with(outcome: Outcome) -> str:
    return type(outcome.error).__name__


class TestRateLimits:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("headers", "asked"),
        [
            ({"retry-after": "1"}, 1.0),
            ({"retry-after-ms": "300"}, 0.3),
            ({"retry-after": "0.4"}, 0.4),
            ({"retry-after": "1.0"}, 1.0),
        ],
        ids=lambda value: str(value),
    )
    async def test_row_01_a_429_waits_as_asked_and_outside_the_duration(
        self, server: CannedServer, kind: str, headers: dict[str, str], asked: float
    ) -> None:
        server.answers(Canned(b"{}", status=429, headers=headers), four())
        began = perf_counter()

        outcome = await ask(server.base_url, kind=kind)
        timing = outcome.timing(streamed=True)

        assert outcome.completion is not None and outcome.attempts == 2
        assert 0.95 * asked <= timing.retry_wait <= perf_counter() - began
        assert timing.duration is not None and timing.duration < 0.25
        assert outcome.failed[0].error_type == "RateLimitError"
        assert outcome.failed[0].status == 429

    async def test_row_01_a_429_waits_until_the_date_it_names(
        self, server: CannedServer
    ) -> None:
        moment = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
        date = format_datetime(moment, usegmt=True)
        server.answers(Canned(status=429, headers={"retry-after": date}), four())

        outcome = await ask(server.base_url)

        assert outcome.completion is not None
        assert datetime.now(UTC) >= moment - timedelta(seconds=0.05)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({"llm_provider-retry-after": "0.3"}, b"{}"),
            ({"ratelimit": '"api";r=0;t=1'}, b"{}"),
            ({}, b'{"error": {"message": "Please try again in 300ms."}}'),
            ({}, b'{"error": "Rate limit reached, retry after 0.3 seconds"}'),
        ],
        ids=["gateway's header", "hf ratelimit", "in the text", "in seconds"],
    )
    async def test_row_02_a_wait_told_elsewhere_is_found(
        self, server: CannedServer, headers: dict[str, str], body: bytes
    ) -> None:
        server.answers(Canned(body, status=429, headers=headers), four())

        outcome = await ask(server.base_url)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.timing(streamed=True).retry_wait >= 0.95 * 0.3

    async def test_row_02_a_lane_without_a_told_wait_slows_down_and_makes_no_storm(
        self, server: CannedServer
    ) -> None:
        server.answers(*[refusal(429, "slow down")] * 6, four())

        job, kept = await run(server.base_url, samples=12, backoff=0.02)

        assert len(texts(kept)) == 12
        assert len(server.received) == 12 + 6
        assert job.lane.pace.allowed < 4 or job.lane.pace.rate_limited == 0

    @pytest.mark.parametrize("asked", ["121", "3600"])
    async def test_row_03_a_wait_that_is_too_long_parks_the_lane(
        self, server: CannedServer, asked: str
    ) -> None:
        server.answers(refusal(429, "later", retry_after=asked))

        job, kept = await run(server.base_url, longest_wait=120.0)

        assert (job.stop, job.status) == (Stop.PARKED, RunStatus.INTERRUPTED)
        assert job.reason is not None and f"wait {asked} s" in job.reason
        assert kept == []
        assert len(server.received) <= 4

    @pytest.mark.parametrize(
        "asked", ["-5", "soon", "", "nan", "inf", "1e400", "0", "9" * 400]
    )
    async def test_row_03_a_senseless_wait_falls_back_to_backoff(
        self, server: CannedServer, asked: str
    ) -> None:
        server.answers(refusal(429, "later", retry_after=asked), four())

        outcome = await ask(server.base_url)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.timing(streamed=True).retry_wait < 1.0

    async def test_row_03_parked_samples_are_left_unsent(
        self, server: CannedServer
    ) -> None:
        server.answers(refusal(429, "later", retry_after="3600"))

        async with open_lane(server.base_url) as lane:
            with pytest.raises(Parked):
                await generate(lane, question())

        assert len(server.received) == 1

    async def test_row_05_a_request_larger_than_the_limit_is_sent_once(
        self, server: CannedServer
    ) -> None:
        told = "Request too large for gpt-4: Limit 10000, Requested 20000."
        server.answers(refusal(429, told, "rate_limit_exceeded"))

        outcome = await ask(server.base_url)

        assert outcome.attempts == 1
        assert failed_with(outcome) == "InvalidRequestError"


class TestRefusals:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("status", "code", "text", "error"),
        [
            (401, "invalid_api_key", "Incorrect API key", "AuthenticationError"),
            (403, None, "country not supported", "PermissionDeniedError"),
            (402, None, "Payment required", "QuotaError"),
            (429, "insufficient_quota", "You exceeded your quota", "QuotaError"),
            (404, "model_not_found", "no such model", "ModelNotFoundError"),
            (400, "model_not_found", "no such model", "ModelNotFoundError"),
            (400, None, "The model `x` does not exist", "ModelNotFoundError"),
        ],
        ids=["06-401", "06-403", "06-402", "04-quota", "07-404", "07-400", "07-text"],
    )
    async def test_rows_04_06_07_a_dead_lane_stops_and_says_why(
        self,
        server: CannedServer,
        kind: str,
        status: int,
        code: str | None,
        text: str,
        error: str,
    ) -> None:
        server.answers(refusal(status, f"{text}: {KEY}", code, x_request_id="req_7"))

        job, kept = await run(server.base_url, samples=50, kind=kind)

        assert (job.stop, job.status) == (Stop.DEAD, RunStatus.FAILED)
        assert len(server.received) <= 1 + 4
        assert job.reason is not None
        assert job.reason.startswith(error) and text in job.reason
        assert {result.error_type for result in kept} == {error}
        assert all(result.attempts == 1 for result in kept)
        assert all(r.failed_attempts[0].request_id == "req_7" for r in kept)
        assert KEY not in repr(kept) + job.reason

    async def test_row_07_a_422_with_details_stops_the_lane(
        self, server: CannedServer
    ) -> None:
        faults = [{"loc": ["body", "model"], "msg": "unknown field", "type": "x"}]
        server.answers(said_by(422, {"detail": faults}))

        job, kept = await run(server.base_url, samples=50)

        assert job.stop is Stop.DEAD
        assert len(kept) <= 5
        assert "unknown field" in (kept[0].error or "")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_08_a_prompt_that_is_too_long_fails_alone(
        self, server: CannedServer, kind: str
    ) -> None:
        told = "This model's maximum context length is 8192 tokens."
        too_long = refusal(400, told, "context_length_exceeded")
        server.answers(four(), too_long, four())

        job, kept = await run(server.base_url, samples=8, kind=kind)

        assert job.status is RunStatus.COMPLETED
        assert len(texts(kept)) == 7
        [failed] = [result for result in kept if result.failed]
        assert (failed.error_type, failed.attempts) == ("ContextLengthError", 1)
        assert len(server.received) == 8


AZURE_FILTER = {
    "error": {
        "message": "The response was filtered due to ... content management policy.",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
}
NO_MESSAGE = {
    "model": "gpt",
    "choices": [
        {
            "index": 0,
            "finish_reason": "content_filter",
            "content_filter_results": {"hate": {"filtered": True}},
        }
    ],
    "usage": None,
}


class TestOutcomes:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    @pytest.mark.parametrize(
        ("status", "body"),
        [(400, AZURE_FILTER), (200, NO_MESSAGE), (200, AZURE_FILTER)],
        ids=["400", "200 without message", "200 with error body"],
    )
    async def test_row_09_a_content_filter_is_an_answer(
        self, server: CannedServer, kind: str, stream: bool, status: int, body: Any
    ) -> None:
        server.answers(said_by(status, body))

        outcome = await ask(server.base_url, request=question(stream=stream), kind=kind)

        assert outcome.completion is not None and outcome.attempts == 1
        assert outcome.completion.finish_reason is FinishReason.CONTENT_FILTER
        assert outcome.completion.usage == Usage()
        assert "filter" in (outcome.completion.raw or "")

    async def test_row_09_a_filter_in_the_middle_of_a_stream_is_an_answer(
        self, server: CannedServer
    ) -> None:
        server.answers(sse(delta(content="Well, "), delta("content_filter")))

        outcome = await ask(server.base_url)

        assert outcome.completion is not None
        assert outcome.completion.text == "Well, "
        assert outcome.completion.finish_reason is FinishReason.CONTENT_FILTER

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "canned",
        [
            whole(None, refusal="I can't."),
            sse(
                delta(role="assistant", content=None, refusal=""),
                delta(refusal="I "),
                delta(refusal="can't."),
                delta("stop"),
            ),
        ],
        ids=["whole", "streamed"],
    )
    async def test_row_10_a_refusal_is_an_answer_with_its_text(
        self, server: CannedServer, kind: str, canned: Canned
    ) -> None:
        server.answers(canned)

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None
        assert outcome.completion.text == "I can't."
        assert outcome.completion.finish_reason is FinishReason.REFUSAL
        assert '"refusal": "I can\'t."' in (outcome.completion.raw or "")

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_row_11_reasoning_that_ate_all_tokens_is_an_answer(
        self, server: CannedServer, stream: bool
    ) -> None:
        spent = {
            "prompt_tokens": 9,
            "completion_tokens": 64,
            "completion_tokens_details": {"reasoning_tokens": 64},
        }
        server.answers(
            sse(delta("length", usage=spent, content=""))
            if stream
            else whole("", "length", spent)
        )

        outcome = await ask(server.base_url, request=question(stream=stream))

        assert outcome.completion is not None
        assert (outcome.completion.text, outcome.attempts) == ("", 1)
        assert outcome.completion.finish_reason is FinishReason.LENGTH
        assert outcome.completion.usage == Usage(
            input_tokens=9, output_tokens=64, reasoning_tokens=64
        )

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("word", ["tool_calls", "stop"])
    async def test_row_12_tool_calls_are_an_answer_and_kept_whole(
        self, server: CannedServer, kind: str, word: str
    ) -> None:
        call = {"name": "add", "arguments": '{"a":'}
        first = {"index": 0, "id": "c1", "type": "function", "function": call}
        more = {"index": 0, "function": {"arguments": "2}"}}
        server.answers(
            sse(
                delta(role="assistant", content=None, tool_calls=[first]),
                delta(tool_calls=[more]),
                delta(word),
            )
        )

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None
        assert outcome.completion.finish_reason is FinishReason.TOOL_CALLS
        raw = json.loads(outcome.completion.raw or "")
        [made] = raw["choices"][0]["message"]["tool_calls"]
        assert made["function"] == {"name": "add", "arguments": '{"a":2}'}

    @pytest.mark.parametrize(
        ("message", "finish"),
        [
            ({"audio": {"id": "a", "data": "UklGR"}}, FinishReason.STOP),
            ({}, FinishReason.STOP),
            ({"tool_calls": [{"id": "c"}]}, FinishReason.TOOL_CALLS),
            ({"function_call": {"name": "f"}}, FinishReason.TOOL_CALLS),
        ],
        ids=["audio", "nothing", "tools", "function"],
    )
    async def test_row_12_null_content_is_classified_and_kept(
        self, server: CannedServer, message: dict[str, Any], finish: FinishReason
    ) -> None:
        server.answers(whole(None, **message))

        outcome = await ask(server.base_url, request=WHOLE)

        assert outcome.completion is not None
        assert (outcome.completion.text, outcome.completion.finish_reason) == (
            "",
            finish,
        )
        assert all(name in (outcome.completion.raw or "") for name in message)


class TestServerErrors:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408, 409, 425])
    async def test_row_13_a_server_error_is_retried_then_told(
        self, server: CannedServer, kind: str, status: int
    ) -> None:
        page = b"<html><head><style>p{}</style></head><h1>Bad gateway</h1></html>"
        server.answers(
            Canned(
                page,
                status=status,
                headers={"content-type": "text/html", "x-request-id": "req_1"},
            )
        )

        outcome = await ask(server.base_url, kind=kind, retries=2)

        assert len(server.received) == outcome.attempts == 3
        assert outcome.error is not None
        assert failed_with(outcome) == "ServerError"
        assert (outcome.error.status, outcome.error.request_id) == (status, "req_1")
        assert outcome.error.message == f"{status}: Bad gateway"
        assert "<h1>" in (outcome.error.raw or "")
        assert len({attempt.wait for attempt in outcome.failed}) == 3

    async def test_row_13_a_server_that_recovers_gives_an_answer(
        self, server: CannedServer
    ) -> None:
        server.answers(refusal(500, "oops"), refusal(503, "oops"), four())

        outcome = await ask(server.base_url)

        assert outcome.completion is not None and outcome.attempts == 3

    async def test_row_13_what_is_not_implemented_is_not_asked_again(
        self, server: CannedServer
    ) -> None:
        server.answers(refusal(501, "not implemented"))

        outcome = await ask(server.base_url)

        assert (failed_with(outcome), outcome.attempts) == ("InvalidRequestError", 1)

    async def test_row_14_a_permanent_500_fails_its_sample_alone(
        self, server: CannedServer
    ) -> None:
        bad = refusal(500, "cannot process this input")
        server.answers(bad, bad, bad, four())

        job, kept = await run(server.base_url, samples=1, retries=2)

        assert len(server.received) == 3
        assert kept[0].error_type == "ServerError"
        assert job.stop is None

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("estimated", [0.3, 300.0])
    async def test_row_15_a_loading_model_is_waited_for_up_to_a_cap(
        self, server: CannedServer, kind: str, estimated: float
    ) -> None:
        told = {"error": "Model m is currently loading", "estimated_time": estimated}
        server.answers(said_by(503, told), four())

        outcome = await ask(server.base_url, kind=kind, longest_wait=0.5)

        assert outcome.completion is not None and outcome.attempts == 2
        wait = outcome.failed[0].wait
        assert 0.95 * min(estimated, 0.5) <= wait <= 0.8
        assert "loading" in outcome.failed[0].error


HTML = b"<!doctype html><title>Sign in</title>"


class TestMalformedAnswers:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    @pytest.mark.parametrize(
        "body",
        [
            HTML,
            b"null",
            b"[]",
            b'"hello"',
            b"42",
            b"",
            b"   ",
            b'{"choices": [{"mess',
            b"{}",
            b'{"choices": null}',
            b'{"choices": []}',
            b'{"choices": {}}',
            b'{"choices": [null]}',
            b'{"choices": ["text"]}',
            b'{"choices": [{"index": 0}]}',
            b'{"choices": [{"message": null}]}',
            b"\xff\xfe{",
        ],
    )
    async def test_rows_16_17_29_what_is_no_answer_is_malformed_and_retried(
        self, server: CannedServer, kind: str, stream: bool, body: bytes
    ) -> None:
        padded = body + b" " * 4000 if body else body
        kind_of_body = "text/html" if body is HTML else "application/json"
        bad = Canned(padded, headers={"content-type": kind_of_body})
        server.answers(bad, four() if stream else whole())

        outcome = await ask(server.base_url, request=question(stream=stream), kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type == "MalformedAnswerError"
        raw = outcome.failed[0].raw or ""
        assert raw.startswith(body.decode("utf-8", "replace")) and len(raw) <= 2000

    async def test_row_16_an_error_body_of_status_200_is_that_error(
        self, server: CannedServer
    ) -> None:
        server.answers(said_by(200, {"error": {"message": "overloaded", "code": 529}}))

        outcome = await ask(server.base_url, request=WHOLE, retries=1)

        assert (failed_with(outcome), outcome.attempts) == ("ServerError", 2)
        assert outcome.error is not None and "overloaded" in outcome.error.message

    @pytest.mark.parametrize("finish", [None, "", "because"])
    async def test_row_17_an_absent_or_strange_finish_reason_is_unknown(
        self, server: CannedServer, finish: str | None
    ) -> None:
        server.answers(whole("4", finish))

        outcome = await ask(server.base_url, request=WHOLE)

        assert outcome.completion is not None
        assert outcome.completion.finish_reason is FinishReason.UNKNOWN


class TestOddities:
    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    @pytest.mark.parametrize(
        ("said", "flag", "usage"),
        [
            (None, "usage_missing", Usage()),
            ({}, "usage_missing", Usage()),
            ("many", "usage_missing", Usage()),
            (
                {"prompt_tokens": "9", "completion_tokens": 3},
                "usage_invalid",
                Usage(output_tokens=3),
            ),
            (
                {"prompt_tokens": -1, "completion_tokens": None},
                "usage_invalid",
                Usage(),
            ),
            ({"prompt_tokens": 2**64}, "usage_invalid", Usage()),
            ({"prompt_tokens": True}, "usage_invalid", Usage()),
            ({"prompt_tokens": 1.5}, "usage_invalid", Usage()),
            (
                {"prompt_tokens": 1, "prompt_tokens_details": "x"},
                None,
                Usage(input_tokens=1),
            ),
            (
                {"prompt_tokens": 1, "completion_tokens": 0},
                None,
                Usage(input_tokens=1, output_tokens=0),
            ),
        ],
    )
    async def test_row_18_usage_that_is_no_count_is_unknown_and_flagged(
        self,
        server: CannedServer,
        stream: bool,
        said: Any,
        flag: str | None,
        usage: Usage,
    ) -> None:
        streamed = sse(delta(content="4"), delta("stop", usage=said))
        server.answers(streamed if stream else whole("4", "stop", said))

        outcome = await ask(server.base_url, request=question(stream=stream))

        assert outcome.completion is not None
        assert outcome.completion.usage == usage
        assert outcome.completion.flags == ((flag,) if flag else ())

    async def test_row_18_usage_on_every_chunk_is_counted_once(
        self, server: CannedServer
    ) -> None:
        def so_far(tokens: int) -> dict[str, int]:
            return {"prompt_tokens": 9, "completion_tokens": tokens}

        server.answers(
            sse(
                delta(content="It", usage=so_far(1)),
                delta(content=" is", usage=so_far(2)),
                delta("stop", usage=so_far(3)),
            )
        )

        outcome = await ask(server.base_url)

        assert outcome.completion is not None
        assert outcome.completion.usage == Usage(input_tokens=9, output_tokens=3)

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_row_19_huge_seeds_and_unknown_keys_are_kept_as_text(
        self, server: CannedServer, stream: bool
    ) -> None:
        odd = {"seed": 2**64 - 1, "obfuscation": "x1y2", "service_tier": "default"}
        choice = {"index": 0, "finish_reason": "stop", "seed": 2**64 - 1}
        said = {"content": "4"}
        body = {"model": "m", "choices": [{**choice, "message": said}], **odd}
        event = {"model": "m", "choices": [{**choice, "delta": said}], **odd}
        server.answers(sse(event) if stream else said_by(200, body))

        outcome = await ask(server.base_url, request=question(stream=stream))

        assert outcome.completion is not None
        raw = outcome.completion.raw or ""
        assert raw.count("18446744073709551615") == 2
        assert all(name in raw for name in odd)

    async def test_row_20_another_model_than_asked_is_recorded_and_flagged(
        self, server: CannedServer
    ) -> None:
        fallback = {**LAST, "model": "org/cheaper"}
        server.answers(sse(delta(content="4"), fallback))

        _, [kept] = await run(server.base_url, samples=1)

        assert kept.completion is not None
        assert kept.completion.response_model == "org/cheaper"
        assert kept.flags == ("model_differs",)

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
    async def test_row_21_answers_nobody_asked_for_are_kept_and_flagged(
        self, server: CannedServer, stream: bool
    ) -> None:
        def choice(index: int, text: str, part: str) -> dict[str, Any]:
            said = {part: {"content": text}}
            return {"index": index, **said, "finish_reason": "stop"}

        both = [choice(0, "4", "message"), choice(1, "5", "message")]
        events = [
            {"model": "m", "choices": [choice(1, "5", "delta")]},
            {"model": "m", "choices": [choice(0, "4", "delta")]},
        ]
        body = {"model": "m", "choices": both}
        server.answers(sse(*events) if stream else said_by(200, body))

        outcome = await ask(server.base_url, request=question(stream=stream))

        assert outcome.completion is not None
        assert outcome.completion.text == "4"
        assert "extra_choices" in outcome.completion.flags
        assert len(json.loads(outcome.completion.raw or "")["choices"]) == 2

    async def test_row_22_ids_of_the_provider_need_not_be_unique(
        self, server: CannedServer
    ) -> None:
        server.answers(four(headers={"x-request-id": "always-the-same"}))

        job, kept = await run(server.base_url, samples=8)

        assert job.status is RunStatus.COMPLETED
        assert len(texts(kept)) == 8
