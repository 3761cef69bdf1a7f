"""Calls as spans and metrics after the GenAI conventions."""

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from servers.canned import Canned, CannedServer
from servers.lanes import LAST, delta, four, sse, whole
from servers.observed import Observed
from servers.recorded import RecordedServer

QUESTION = "What is the secret of 2 + 2?"
KEY = "sk-SECRETsecretSECRETsecret"
DURATION = "gen_ai.client.operation.duration"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKENS = "gen_ai.client.token.usage"


async def test_a_whole_answer_is_a_span_with_the_names_of_the_conventions(
    seen: Observed, canned: CannedServer
) -> None:
    canned.answers(whole())
    config = {"temperature": 0.5, "max_tokens": 7, "seed": 1, "top_p": 0.9}

    await seen.bench.ask("here/m", QUESTION, config)

    (span,) = seen.spans
    told = dict(span.attributes or {})
    waits = [told.pop(f"aistrale.{name}") for name in ("queue_s", "retry_wait_s")]
    assert (span.name, span.kind, span.parent) == ("chat m", SpanKind.CLIENT, None)
    assert span.status.status_code is StatusCode.UNSET
    assert waits[0] >= 0 and waits[1] == 0
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "here",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.seed": 1,
        "gen_ai.response.model": "org/name",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": urlsplit(canned.base_url).port,
        "aistrale.attempts": 1,
        "aistrale.cost_usd": pytest.approx(0.012),
    }


async def test_metrics_bear_the_names_and_buckets_of_the_conventions(
    seen: Observed, canned: CannedServer
) -> None:
    canned.answers(four(), whole())

    async for _ in seen.bench.stream("here/m", QUESTION):
        pass
    await seen.bench.ask("here/m", QUESTION)

    (duration,), (first,) = seen.points(DURATION), seen.points(FIRST_CHUNK)
    tokens = {
        point.attributes["gen_ai.token.type"]: point for point in seen.points(TOKENS)
    }
    assert (duration.count, first.count) == (2, 1), "only a stream has a first chunk"
    assert (
        duration.explicit_bounds[:3] == first.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    )
    assert duration.explicit_bounds[-1] == pytest.approx(81.92)
    assert {kind: point.sum for kind, point in tokens.items()} == {
        "input": 18,
        "output": 6,
    }
    assert tokens["input"].explicit_bounds[-1] == 67108864
    assert duration.attributes["gen_ai.response.model"] == "org/name"


async def test_a_stream_tells_when_its_first_words_came(
    seen: Observed, canned: CannedServer
) -> None:
    canned.answers(four())

    items = [item async for item in seen.bench.stream("here/m", QUESTION)]

    (span,) = seen.spans
    first = (span.attributes or {})["gen_ai.response.time_to_first_chunk"]
    assert first == items[-1].timing.time_to_first_token
    assert (span.attributes or {})["gen_ai.request.stream"] is True


async def test_a_failed_attempt_is_an_event_and_a_measurement(
    seen: Observed, canned: CannedServer
) -> None:
    canned.answers(Canned(b"{}", status=503), whole())

    await seen.bench.ask("here/m", QUESTION)

    (span,) = seen.spans
    (event,) = span.events
    told = dict(event.attributes or {})
    kinds = {p.attributes.get("error.type"): p.count for p in seen.points(DURATION)}
    assert event.name == "aistrale.attempt_failed"
    assert told["error.type"] == "ServerError"
    assert told["http.response.status_code"] == 503
    assert told["aistrale.wait_s"] > 0
    assert told["aistrale.wait_s"] <= (span.attributes or {})["aistrale.retry_wait_s"]
    assert (span.attributes or {})["aistrale.attempts"] == 2
    assert span.start_time is not None and span.end_time is not None
    assert span.start_time - 10**9 < event.timestamp < span.end_time + 10**9
    assert kinds == {"ServerError": 1, None: 1}


async def test_a_call_that_failed_for_good_tells_its_kind_and_nobodys_words(
    seen: Observed, canned: CannedServer
) -> None:
    said = json.dumps({"error": {"message": f"you asked {QUESTION}"}}).encode()
    canned.answers(Canned(said, status=400))

    with pytest.raises(Exception, match="you asked"):
        await seen.bench.ask("here/m", QUESTION)

    (span,) = seen.spans
    assert (span.attributes or {})["error.type"] == "InvalidRequestError"
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert "secret" not in span.to_json()
    assert not seen.points(TOKENS)


async def test_a_call_that_its_caller_left_is_told_as_cancelled(
    seen: Observed, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 60.0, 1

    asking = asyncio.create_task(seen.bench.ask("openai/large", QUESTION))
    assert await asyncio.to_thread(server.reached.wait, 10)
    asking.cancel()
    await asyncio.wait([asking])
    seen.bench.close()

    (span,) = seen.spans
    assert (span.attributes or {})["error.type"] == "CancelledError"
    assert seen.points(DURATION)[0].attributes["error.type"] == "CancelledError"


async def test_neither_prompts_nor_answers_nor_keys_are_exported(
    seen: Observed, canned: CannedServer
) -> None:
    answer = sse(delta(content="the secret answer"), LAST)
    canned.answers(Canned(b"the secret fault", status=500), answer)

    config = {"stop_sequences": ["secret"], "extra": {"user": "secret"}}
    messages = [
        {"role": "system", "content": "secret"},
        {"role": "user", "content": QUESTION},
    ]
    async for _ in seen.bench.stream(f"here/{KEY}", messages, config):
        pass

    exported = "".join(span.to_json() for span in seen.spans)
    assert "chat [redacted]" in exported
    assert "secret" not in exported
    assert "SECRET" not in exported
    assert "SECRET" not in str(seen.points(DURATION) + seen.points(TOKENS))


async def test_calls_are_children_of_the_span_of_their_own_caller(
    seen: Observed, canned: CannedServer
) -> None:
    canned.answers(whole())

    async def asked(n: int) -> tuple[int, int]:
        with seen.telemetry.span(f"caller {n}", {}) as span:
            await seen.bench.ask("here/m", f"number {n}")
            return span.get_span_context().span_id, n

    callers = dict(await asyncio.gather(*map(asked, range(20))))

    parents = [_parent(span) for span in seen.spans_named("chat m")]
    assert sorted(parents) == sorted(callers)


def _parent(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id
