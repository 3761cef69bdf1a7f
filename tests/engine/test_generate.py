"""One sample's answer: retries, deadlines, and what its times include."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from servers.scripted import END, QUESTION, ScriptedRunner, Step, make_lane

from aistrale_lab.domain.chat import Chunk, FinishReason, Request
from aistrale_lab.engine.budget import Budget
from aistrale_lab.engine.generate import generate
from aistrale_lab.engine.pace import LaneEnded, Parked
from aistrale_lab.errors import (
    AuthenticationError,
    InvalidRequestError,
    RateLimitError,
    RunnerError,
    ServerError,
)


async def test_an_answer_is_assembled_from_its_chunks() -> None:
    runner = ScriptedRunner([Chunk(request_id="r-1"), Chunk("fo"), Chunk("ur"), END])

    outcome = await generate(make_lane(runner), QUESTION)

    assert outcome.completion is not None
    assert outcome.completion.text == "four"
    assert outcome.completion.request_id == "r-1"
    assert outcome.attempts == 1
    assert outcome.cost == Decimal("0.01")


async def test_times_are_of_the_kept_attempt_alone() -> None:
    runner = ScriptedRunner([0.05, ServerError("bad")], [Chunk("a"), 0.02, END])

    outcome = await generate(make_lane(runner, backoff=0.04), QUESTION)
    timing = outcome.timing(streamed=True)

    assert timing.duration is not None and 0.02 <= timing.duration < 0.05
    assert timing.time_to_first_token is not None
    assert timing.time_to_first_token < 0.02
    assert timing.retry_wait >= 0.02
    assert outcome.failed[0].duration >= 0.05
    assert outcome.failed[0].wait == pytest.approx(timing.retry_wait, abs=0.01)


async def test_a_transient_error_is_tried_again_as_often_as_allowed() -> None:
    runner = ScriptedRunner([ServerError("bad", status=503)])

    outcome = await generate(make_lane(runner, retries=2), QUESTION)

    assert runner.calls == 3
    assert outcome.attempts == 3
    assert isinstance(outcome.error, ServerError)


@pytest.mark.parametrize("error", [InvalidRequestError("no"), AuthenticationError("")])
async def test_a_permanent_error_is_never_tried_again(error: RunnerError) -> None:
    runner = ScriptedRunner([error])

    outcome = await generate(make_lane(runner), QUESTION)

    assert runner.calls == 1
    assert outcome.error is error


async def test_a_rate_limit_waits_as_long_as_asked_and_outside_the_duration() -> None:
    limited: list[Step] = [RateLimitError("slow down", retry_after=0.2, status=429)]
    runner = ScriptedRunner(limited, [Chunk("a"), END])

    outcome = await generate(make_lane(runner), QUESTION)
    timing = outcome.timing(streamed=True)

    assert outcome.completion is not None
    assert timing.retry_wait >= 0.2
    assert timing.duration is not None and timing.duration < 0.1
    assert timing.queue is not None and timing.queue < 0.1


async def test_a_wait_that_is_too_long_parks_and_leaves_the_sample_unsent() -> None:
    runner = ScriptedRunner([RateLimitError("tomorrow", retry_after=3600, status=429)])

    with pytest.raises(Parked):
        await generate(make_lane(runner), QUESTION)

    assert runner.calls == 1


async def test_rate_limits_have_four_times_the_tries() -> None:
    runner = ScriptedRunner([RateLimitError("slow down", status=429)])

    outcome = await generate(make_lane(runner, retries=1), QUESTION)

    assert runner.calls == 5
    assert isinstance(outcome.error, RateLimitError)


async def test_an_answer_that_never_ends_meets_the_total_deadline() -> None:
    drip: list[Step] = [Chunk("a"), 0.05] * 200
    runner = ScriptedRunner(drip)

    outcome = await generate(make_lane(runner, timeout=0.3, retries=0), QUESTION)

    assert outcome.error is not None
    assert "not complete within 0.3 s" in outcome.error.message
    assert outcome.duration is not None and outcome.duration < 1
    assert runner.closed == 1


async def test_a_stall_between_tokens_meets_its_own_deadline() -> None:
    runner = ScriptedRunner([Chunk("a"), 30.0, END])
    lane = make_lane(runner, timeout=60, stall=0.2, retries=0)

    outcome = await generate(lane, QUESTION)

    assert outcome.error is not None
    assert "no further token came for 0.2 s" in outcome.error.message


async def test_the_wait_for_the_first_token_is_no_stall() -> None:
    runner = ScriptedRunner([Chunk(request_id="r"), 0.4, Chunk("a"), END])

    outcome = await generate(make_lane(runner, stall=0.1), QUESTION)

    assert outcome.completion is not None


async def test_an_answer_without_a_finish_reason_is_no_answer() -> None:
    runner = ScriptedRunner([Chunk("half an ans")])

    outcome = await generate(make_lane(runner, retries=1), QUESTION)

    assert type(outcome.error).__name__ == "TruncatedAnswerError"
    assert runner.calls == 2


async def test_what_a_foreign_runner_raises_is_an_outcome() -> None:
    runner = ScriptedRunner([KeyError("oops")])

    outcome = await generate(make_lane(runner), QUESTION)

    assert outcome.error is not None
    assert outcome.error.message == "the runner raised KeyError: 'oops'"


async def test_replayed_answers_have_the_recorded_times_or_none() -> None:
    recorded = Chunk(
        "a", finish_reason=FinishReason.STOP, duration=1.5, time_to_first_token=0.3
    )
    untimed = Chunk("a", finish_reason=FinishReason.STOP, untimed=True)
    lane = make_lane(ScriptedRunner([recorded], [untimed]))

    first = (await generate(lane, QUESTION)).timing(streamed=True)
    second = (await generate(lane, QUESTION)).timing(streamed=True)

    assert (first.duration, first.time_to_first_token) == (1.5, 0.3)
    assert (second.duration, second.queue) == (None, None)


@pytest.mark.parametrize(
    ("answer", "spent"),
    [
        ([Chunk("a"), END], "0.01"),
        ([ServerError("bad", status=500)], "0"),
        ([Chunk("half")], "0.25"),
        ([Chunk("half"), ServerError("bad", status=500)], "0.25"),
    ],
    ids=[
        "paid",
        "refused before it began",
        "broken off: cost unknown",
        "failed midway: cost unknown",
    ],
)
async def test_the_budget_is_settled_however_a_call_ends(
    answer: list[Step], spent: str
) -> None:
    lane = make_lane(ScriptedRunner(answer), retries=0)
    lane.budget = Budget(Decimal(1))
    lane.bound = bound_of_a_quarter

    await generate(lane, QUESTION)

    assert lane.budget.spent == Decimal(spent)
    assert lane.budget.reserved == 0


async def test_a_cancelled_call_closes_its_stream_and_frees_its_place() -> None:
    runner = ScriptedRunner([Chunk("a"), 30.0])
    lane = make_lane(runner)
    call = asyncio.create_task(generate(lane, QUESTION))
    await _until(lambda: runner.calls == 1)

    call.cancel()
    ended = await asyncio.gather(call, return_exceptions=True)

    assert isinstance(ended[0], asyncio.CancelledError)
    assert runner.closed == 1
    assert lane.pace.in_flight == 0


async def test_a_call_that_waits_to_try_again_gives_up_when_the_lane_ends() -> None:
    runner = ScriptedRunner([ServerError("bad", retry_after=1.0)])
    lane = make_lane(runner)
    call = asyncio.create_task(generate(lane, QUESTION))
    await _until(lambda: runner.closed == 1)

    lane.over.set()

    with pytest.raises(LaneEnded):
        await asyncio.wait_for(call, timeout=0.5)


def bound_of_a_quarter(request: Request) -> Decimal:
    return Decimal("0.25")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)
