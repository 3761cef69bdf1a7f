"""Lanes of workers: what is sent, what is kept, and how a lane ends."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from servers.scripted import END, ScriptedRunner, Step, make_lane

from aistrale_lab.domain.chat import Chunk, GenerateConfig, Message
from aistrale_lab.domain.runs import RunSpec, RunStatus, SampleResult
from aistrale_lab.domain.tasks import ModelRef, Sample
from aistrale_lab.engine.execute import Job, Stop, execute
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.errors import (
    AuthenticationError,
    InvalidRequestError,
    RateLimitError,
    RunnerError,
    ServerError,
    StoreError,
)

SAMPLES = tuple(Sample(id=str(n), input=f"question {n}") for n in range(1, 21))
ANSWER: list[Step] = [Chunk("four"), END]


class Shelf:
    """Keeps results as a store does; `broken` makes it fail after so many."""

    def __init__(self, broken_after: int | None = None) -> None:
        self.kept: list[SampleResult] = []
        self._broken_after = broken_after

    async def keep(self, sample: Sample, found: SampleResult) -> None:
        await asyncio.sleep(0)
        if self._broken_after is not None and len(self.kept) >= self._broken_after:
            raise StoreError("the disk is full")
        self.kept.append(found)


def make_job(
    runner: ScriptedRunner,
    *,
    model: str = "m",
    samples: Sequence[Sample] = SAMPLES,
    epochs: int = 1,
    concurrency: int = 4,
    skip: Callable[[str, int], bool] = lambda sample_id, epoch: False,
    **policy: float,
) -> Job:
    return Job(
        spec=RunSpec(
            run_id=f"run-{model}",
            experiment_id="e",
            model=ModelRef(provider="p", model=model),
            config=GenerateConfig(),
        ),
        lane=make_lane(runner, **policy),
        samples=samples,
        epochs=epochs,
        render=lambda sample: (Message(role="user", content=sample.input_text),),
        skip=skip,
        progress=LaneProgress("r", model, "", total=len(samples) * epochs),
        concurrency=concurrency,
    )


async def test_every_sample_and_epoch_is_sent_once_and_kept() -> None:
    runner, shelf = ScriptedRunner(ANSWER), Shelf()
    job = make_job(runner, epochs=2)

    await execute([job], shelf.keep)

    assert len({(r.sample_id, r.epoch) for r in shelf.kept}) == 40
    assert runner.calls == 40
    assert job.status is RunStatus.COMPLETED
    assert (job.progress.done, job.progress.failed) == (40, 0)


async def test_what_has_its_row_is_not_sent_again() -> None:
    runner, shelf = ScriptedRunner(ANSWER), Shelf()
    job = make_job(runner, skip=lambda sample_id, epoch: int(sample_id) <= 15)

    await execute([job], shelf.keep)

    assert {r.sample_id for r in shelf.kept} == {"16", "17", "18", "19", "20"}


async def test_one_bad_sample_does_not_abort_the_others() -> None:
    runner = ScriptedRunner([InvalidRequestError("no", status=400)], ANSWER)
    shelf = Shelf()
    job = make_job(runner, concurrency=1)

    await execute([job], shelf.keep)

    assert [r.error_type for r in shelf.kept[:2]] == ["InvalidRequestError", None]
    assert job.status is RunStatus.COMPLETED
    assert job.progress.errors == {"InvalidRequestError": 1}


async def test_a_wrong_key_stops_its_lane_and_no_other() -> None:
    dead = ScriptedRunner([AuthenticationError("bad key", status=401)])
    alive, shelf = ScriptedRunner(ANSWER), Shelf()
    jobs = [make_job(dead, model="dead"), make_job(alive, model="alive")]

    await execute(jobs, shelf.keep)

    assert dead.calls <= 1 + 4
    assert jobs[0].status is RunStatus.FAILED
    assert jobs[0].reason == "AuthenticationError: bad key"
    assert jobs[1].status is RunStatus.COMPLETED


async def test_a_long_wait_parks_the_lane_without_failing_samples() -> None:
    runner = ScriptedRunner(
        ANSWER, [RateLimitError("tomorrow", retry_after=7200.0, status=429)]
    )
    shelf = Shelf()
    job = make_job(runner, concurrency=2)

    await execute([job], shelf.keep)

    assert job.stop is Stop.PARKED
    assert job.status is RunStatus.INTERRUPTED
    assert all(not r.failed for r in shelf.kept)


async def test_a_run_in_which_nothing_succeeds_has_failed() -> None:
    job = make_job(ScriptedRunner([ServerError("bad", status=500)]), retries=0)

    await execute([job], Shelf().keep)

    assert job.status is RunStatus.FAILED


async def test_no_further_call_is_paid_once_the_store_fails() -> None:
    runner = ScriptedRunner(ANSWER)
    job = make_job(runner, concurrency=4)

    await execute([job], Shelf(broken_after=4).keep)

    assert job.stop is Stop.BROKEN
    assert isinstance(job.cause, StoreError)
    assert runner.calls <= 8


async def test_cancelling_stops_within_a_second_and_keeps_what_is_done() -> None:
    runner = ScriptedRunner(ANSWER, ANSWER, [Chunk("slow"), 60.0, END])
    shelf = Shelf()
    job = make_job(runner, concurrency=3)
    running = asyncio.create_task(execute([job], shelf.keep))
    await _until(lambda: runner.calls == 5 and len(shelf.kept) == 2)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, timeout=1.0)

    assert runner.calls == 5
    assert runner.closed == 5
    assert job.status is RunStatus.INTERRUPTED


async def test_a_lane_that_had_all_its_answers_when_it_was_stopped_is_finished() -> (
    None
):
    quick = make_job(ScriptedRunner(ANSWER), model="quick")
    last = make_job(ScriptedRunner([0.2, *ANSWER]), samples=SAMPLES[:1])
    stuck = make_job(ScriptedRunner([60.0, END]), model="stuck")
    dead = ScriptedRunner([AuthenticationError("bad key", status=401)])
    jobs = [quick, last, stuck, make_job(dead, model="dead")]
    shelf = Shelf()
    running = asyncio.create_task(execute(jobs, shelf.keep))
    await _until(lambda: sum(job.progress.ended is not None for job in jobs) >= 2)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert [job.ending for job in jobs] == [
        (RunStatus.COMPLETED, None),
        (RunStatus.COMPLETED, None),
        (RunStatus.INTERRUPTED, "stopped"),
        (RunStatus.FAILED, "AuthenticationError: bad key"),
    ]


async def test_a_second_cancel_does_not_wait_for_the_grace() -> None:
    runner = ScriptedRunner([60.0, END])
    job = make_job(runner)
    running = asyncio.create_task(execute([job], Shelf().keep))
    await _until(lambda: runner.calls == 4)

    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, timeout=0.3)

    assert runner.closed == 4


@pytest.mark.parametrize(
    ("answered", "flagged"),
    [
        ("gpt-4o", False),
        ("gpt-4o-2024-08-06", False),
        ("GPT-4o", False),
        ("gpt-4o-mini-2024-07-18", True),
        ("gpt-3.5-turbo", True),
    ],
)
async def test_another_model_than_asked_is_flagged(
    answered: str, flagged: bool
) -> None:
    said = Chunk("a", finish_reason=END.finish_reason, response_model=answered)
    shelf = Shelf()

    await execute(
        [make_job(ScriptedRunner([said]), model="gpt-4o", samples=SAMPLES[:1])],
        shelf.keep,
    )

    assert ("model_differs" in shelf.kept[0].flags) is flagged


async def test_an_error_that_followed_a_dead_lane_may_be_sent_again() -> None:
    shelf = Shelf()
    error: RunnerError = AuthenticationError("bad key", status=401)

    await execute([make_job(ScriptedRunner([error]))], shelf.keep)

    assert all(r.error_transient for r in shelf.kept)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)
