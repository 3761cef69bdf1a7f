"""Rows 23 to 30 of the fault matrix: what becomes of a stream on its way."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from servers.canned import Canned, CannedServer, canned_server
from servers.lanes import (
    KINDS,
    LAST,
    USAGE,
    ask,
    delta,
    four,
    question,
    run,
    sse,
    texts,
)

from aistrale_lab.domain.chat import FinishReason, Usage
from aistrale_lab.domain.runs import RunStatus

STREAM = {"content-type": "text/event-stream"}
EXACT = "na\u00efve \U0001f9ea \u6f22\u5b57 e\u0301 \u202e \u2028 \x00 end"


@pytest.fixture
async def server() -> AsyncIterator[CannedServer]:
    async with canned_server() as canned:
        yield canned


def line(event: Any) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


class TestBrokenOff:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("done", [True, False], ids=["[DONE]", "no [DONE]"])
    async def test_row_23_an_end_without_finish_reason_is_truncated(
        self, server: CannedServer, kind: str, done: bool
    ) -> None:
        half = sse(delta(content="It is"), done=done)
        server.answers(half, half, four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 3
        assert outcome.completion.text == "It is 4"
        assert {a.error_type for a in outcome.failed} == {"TruncatedAnswerError"}
        assert b"It is" in (outcome.failed[0].wire or b"")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_23_an_empty_stream_is_never_an_empty_success(
        self, server: CannedServer, kind: str
    ) -> None:
        server.answers(sse(done=False), sse(), four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.attempts == 3
        assert {a.error_type for a in outcome.failed} == {"TruncatedAnswerError"}

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_24_a_finish_reason_without_done_is_complete(
        self, server: CannedServer, kind: str
    ) -> None:
        server.answers(sse(delta(content="4"), LAST, done=False))

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 1
        assert outcome.completion.text == "4"

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("end", ["cut", "reset"])
    async def test_row_25_a_cut_line_is_retried_and_the_part_is_kept(
        self, server: CannedServer, kind: str, end: Any
    ) -> None:
        server.answers(
            sse(delta(content="It is"), done=False, end=end, pause=0.05), four()
        )

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.completion.text == "It is 4"
        assert outcome.failed[0].error_type in (
            "ConnectionFailedError",
            "TruncatedAnswerError",
        )
        if end == "cut":  # a reset may overtake what was sent before it
            assert b"It is" in (outcome.failed[0].wire or b"")

    async def test_row_25_a_line_cut_after_the_finish_reason_keeps_the_lane_alive(
        self, server: CannedServer
    ) -> None:
        server.answers(sse(delta(content="4"), LAST, done=False, end="cut"), four())

        job, kept = await run(server.base_url, samples=2)

        assert job.status is RunStatus.COMPLETED
        assert len(texts(kept)) == 2


class TestBytes:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "tail",
        [
            b'data: {"choices": [{"index": 0, "del',
            b'data: {"choices": [{"index": 0, "del\n\n',
            b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n',
            b"data: null\n\n",
            b"data: []\n\n",
            b'data: {"choices": [null]}\n\n',
            b'data: {"choices": ["text"]}\n\n',
            b'data: {"choices": [{"delta": "text"}]}\n\n',
            b'data: {"choices": [{"delta": []}]}\n\n',
            b'data: {"choices": [{"index": [1], "delta": {}}]}\n\n',
            b'data: {"choices": [{"index": 0}, null]}\n\n',
        ],
    )
    async def test_row_26_an_event_that_cannot_be_read_is_malformed(
        self, server: CannedServer, kind: str, tail: bytes
    ) -> None:
        server.answers(
            Canned([line(delta(content="It")), tail], headers=STREAM), four()
        )

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type == "MalformedAnswerError"
        assert tail[:30] in (outcome.failed[0].wire or b"")

    @pytest.mark.parametrize(
        "event",
        [
            {"choices": {"a": 1}},
            {"choices": "text"},
            {"choices": None},
            {"choices": [{"index": 0, "delta": {"content": 7}}]},
            {"choices": [{"index": 0, "delta": {"tool_calls": "text"}}]},
            {"choices": [{"index": 0, "delta": {"tool_calls": [1, None]}}]},
            {"choices": [{"index": 0, "delta": None}]},
            {"choices": [{"index": 0, "delta": {}, "logprobs": [1]}]},
            {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": None}}]},
            {"error": None},
            {},
        ],
        ids=str,
    )
    async def test_row_26_an_odd_event_does_not_harm_the_answer(
        self, server: CannedServer, event: Any
    ) -> None:
        server.answers(sse(event, delta(content="It is 4"), event, LAST))

        outcome = await ask(server.base_url)

        assert outcome.completion is not None and outcome.attempts == 1
        assert outcome.completion.text == "It is 4"

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
    async def test_row_26_a_text_split_byte_by_byte_is_exact(
        self, server: CannedServer, kind: str, ending: bytes
    ) -> None:
        body = line(delta(content=EXACT)) + line(LAST) + b"data: [DONE]\n\n"
        body = b": a comment\n\nevent: message\nid: 7\n" + body
        body = body.replace(b"\n", ending)
        pieces = [body[n : n + 1] for n in range(len(body))]
        server.answers(Canned(pieces, headers=STREAM))

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 1
        assert outcome.completion.text == EXACT

    async def test_row_26_lone_surrogates_come_through(
        self, server: CannedServer
    ) -> None:
        escaped = r'{"choices": [{"index": 0, "delta": {"content": "a\ud83d"}}]}'
        server.answers(sse(escaped, LAST))

        outcome = await ask(server.base_url)

        assert outcome.completion is not None
        assert outcome.completion.text == "a\ud83d"

    async def test_row_26_log_probabilities_of_all_tokens_are_kept(
        self, server: CannedServer
    ) -> None:
        def likely(token: str) -> Any:
            event = delta(content=token)
            logprobs = {"content": [{"token": token, "logprob": -0.1}], "refusal": None}
            event["choices"][0]["logprobs"] = logprobs
            return event

        server.answers(sse(likely("It"), likely(" is"), LAST))

        outcome = await ask(server.base_url)

        assert outcome.completion is not None
        [choice] = json.loads(outcome.completion.raw or "")["choices"]
        assert [said["token"] for said in choice["logprobs"]["content"]] == [
            "It",
            " is",
        ]


class TestErrorEvents:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ({"message": "the GPU fell off", "type": "server_error"}, "ServerError"),
            ("the GPU fell off", "ServerError"),
            ({"message": "the GPU fell off", "code": 429}, "RateLimitError"),
        ],
        ids=["object", "string", "429"],
    )
    async def test_row_27_an_error_event_is_an_error_with_its_text(
        self, server: CannedServer, kind: str, error: Any, expected: str
    ) -> None:
        server.answers(sse(delta(content="It"), {"error": error}, LAST), four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type == expected
        assert "the GPU fell off" in outcome.failed[0].error
        assert b"It" in (outcome.failed[0].wire or b"")


class TestDeadlines:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_28_a_stall_between_tokens_meets_its_deadline(
        self, server: CannedServer, kind: str
    ) -> None:
        server.answers(sse(delta(content="It"), done=False, end="hang"))

        outcome = await ask(server.base_url, kind=kind, stall=0.2, retries=0)
        await server.idle.wait()

        assert type(outcome.error).__name__ == "DeadlineError"
        assert outcome.duration is not None and 0.2 <= outcome.duration < 1.5

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_28_endless_pings_are_no_sign_of_life(
        self, server: CannedServer, kind: str
    ) -> None:
        pings = [line(delta(content="It"))] + [b": ping\n\n"] * 200
        server.answers(Canned(pings, headers=STREAM, pause=0.02))

        outcome = await ask(server.base_url, kind=kind, stall=0.3, retries=0)

        assert outcome.error is not None
        assert "no further token came for 0.3 s" in outcome.error.message

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_28_a_slow_drip_meets_the_total_deadline(
        self, server: CannedServer, kind: str
    ) -> None:
        drip = sse(*[delta(content="x")] * 200, pause=0.02)
        server.answers(drip)

        outcome = await ask(server.base_url, kind=kind, timeout=0.5, retries=1)

        assert outcome.error is not None and outcome.attempts == 2
        assert "not complete within 0.5 s" in outcome.error.message
        assert outcome.duration is not None and outcome.duration < 1.5

    async def test_row_28_a_server_that_holds_the_line_after_done_costs_nothing(
        self, server: CannedServer
    ) -> None:
        server.answers(four(end="hang"))

        outcome = await ask(server.base_url)

        assert outcome.completion is not None and outcome.attempts == 1
        assert outcome.duration is not None and outcome.duration < 0.5


class TestNotStreamed:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
    async def test_row_29_an_html_page_is_malformed_whatever_it_says_it_is(
        self, server: CannedServer, kind: str, content_type: str
    ) -> None:
        page = b"<!doctype html>\n<title>Sign in</title>\n"
        server.answers(Canned(page, headers={"content-type": content_type}), four())

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None and outcome.attempts == 2
        assert outcome.failed[0].error_type == "MalformedAnswerError"
        assert "Sign in" in (outcome.failed[0].raw or "")

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_29_a_whole_answer_to_a_stream_is_kept_and_flagged(
        self, server: CannedServer, kind: str
    ) -> None:
        body = json.dumps(
            {
                "choices": [
                    {"message": {"content": "It is 4"}, "finish_reason": "stop"}
                ],
                "usage": USAGE,
            }
        )
        server.answers(Canned(body.encode()))

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None
        assert outcome.completion.text == "It is 4"
        assert outcome.completion.flags == ("not_streamed",)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_row_29_a_stream_nobody_asked_for_is_read(
        self, server: CannedServer, kind: str
    ) -> None:
        server.answers(four())

        outcome = await ask(server.base_url, request=question(stream=False), kind=kind)

        assert outcome.completion is not None
        assert outcome.completion.text == "It is 4"


class TestUsage:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "events",
        [
            [{"choices": [], "usage": USAGE}, delta(content="4"), delta("stop")],
            [delta(content="4"), delta("stop"), {"choices": [], "usage": USAGE}],
            [delta(content="4"), delta("stop"), {"usage": USAGE}],
            [delta(content="4"), delta("stop", usage=USAGE)],
            [
                delta(content="4", usage=USAGE),
                delta("stop", usage=USAGE),
                {"choices": [], "usage": USAGE},
            ],
            [
                delta(content="4"),
                delta("stop", usage=USAGE),
                {"choices": [], "usage": None},
            ],
        ],
        ids=["before", "after", "without choices", "on finish", "on all", "then null"],
    )
    async def test_row_30_usage_counts_once_wherever_it_comes(
        self, server: CannedServer, kind: str, events: list[Any]
    ) -> None:
        server.answers(sse(*events))

        outcome = await ask(server.base_url, kind=kind)

        assert outcome.completion is not None
        assert outcome.completion.usage == Usage(input_tokens=9, output_tokens=3)
        assert outcome.completion.finish_reason is FinishReason.STOP
        assert outcome.completion.flags == ()
