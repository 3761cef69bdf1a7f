"""A task on its models: lanes of workers, each sample stored before the next is sent.

A fixed set of workers pulls samples one by one: nothing is held per sample, so
memory does not grow with the number of samples.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from time import perf_counter

from aistrale_lab.domain.chat import Message, Request
from aistrale_lab.domain.runs import RunSpec, RunStatus, SampleResult
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.engine.generate import Lane, generate
from aistrale_lab.engine.outcome import Outcome
from aistrale_lab.engine.pace import LaneEnded, Parked
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.errors import (
    BudgetError,
    ConnectionFailedError,
    LabError,
    RunnerError,
    StoreError,
)

Render = Callable[[Sample], tuple[Message, ...]]
"""Turns a sample into messages."""

Skip = Callable[[str, int], bool]
"""Whether a (sample id, epoch) has its row already."""

OnResult = Callable[[Sample, SampleResult], Awaitable[None]]
"""Takes a result and returns once it is on disk."""

Around = Callable[[], AbstractContextManager[None]]
"""Makes what is entered around all calls of a run."""

STOPPED = "stopped"
"""The reason of a lane that was cancelled."""

GRACE = 0.5
"""Seconds that calls in flight are given to finish when a run is stopped."""


class Stop(IntEnum):
    """Why a lane sends no more; the worst of several wins."""

    DECIDED = 1
    PARKED = 2
    DEAD = 3
    BUDGET = 4
    CANCELLED = 5
    BROKEN = 6


@dataclass(slots=True)
class Job:
    """One run, ready to be executed."""

    spec: RunSpec
    lane: Lane
    samples: Sequence[Sample]
    epochs: int
    render: Render
    skip: Skip
    progress: LaneProgress
    concurrency: int
    around: Around = nullcontext
    stop: Stop | None = None
    reason: str | None = None
    cause: LabError | None = None

    def end(self, stop: Stop, reason: str, cause: LabError | None = None) -> None:
        """Send no more; calls in flight may finish. Nothing, if the lane has ended."""
        if self.progress.ended is not None:
            return
        if self.stop is None or stop > self.stop:
            self.stop, self.reason, self.cause = stop, reason, cause
        self.lane.over.set()

    def work(self) -> Iterator[tuple[Sample, int]]:
        """What is to be sent, epoch by epoch, until the run is stopped."""
        for epoch in range(1, self.epochs + 1):
            for sample in self.samples:
                if self.stop is not None:
                    return
                if not self.skip(sample.id, epoch):
                    yield sample, epoch

    @property
    def status(self) -> RunStatus:
        """The state that the run ends in."""
        return self.ending[0]

    @property
    def ending(self) -> tuple[RunStatus, str | None]:
        """The state that the run ends in, and why; it may have had all when stopped."""
        progress, stop, reason = self.progress, self.stop, self.reason
        if progress.complete and stop not in (Stop.DEAD, Stop.BROKEN):
            stop, reason = None, None
        if stop not in (None, Stop.DEAD):
            return RunStatus.INTERRUPTED, reason
        nothing_worked = progress.failed == progress.done and not progress.skipped
        if stop is Stop.DEAD or (nothing_worked and progress.total):
            return RunStatus.FAILED, reason
        return RunStatus.COMPLETED, reason


async def execute(
    jobs: Sequence[Job], on_result: OnResult, *, at_once: int | None = None
) -> None:
    """Run all jobs, or `at_once` side by side, until each is complete or stopped.

    Cancelling stops the launch of calls at once, gives those in flight a short
    grace, and then cancels them. Every answer that arrived is stored first.
    """
    places = asyncio.Semaphore(at_once or max(1, len(jobs)))

    async def run(job: Job) -> None:
        async with places:
            with job.around():
                await _run_lane(job, on_result)

    lanes = [asyncio.create_task(run(job)) for job in jobs]
    try:
        await asyncio.wait(lanes)
    except asyncio.CancelledError:
        for job in jobs:
            job.end(Stop.CANCELLED, STOPPED)
        try:
            await asyncio.wait(lanes, timeout=GRACE)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        raise
    for lane in lanes:
        lane.result()


async def _run_lane(job: Job, on_result: OnResult) -> None:
    pace = job.lane.pace
    job.progress.status, job.progress.began = RunStatus.RUNNING, perf_counter()
    job.progress.rate_limited = lambda: pace.rate_limited
    work = job.work()
    workers = min(job.concurrency, max(1, len(job.samples) * job.epochs))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(_worker(job, work, on_result))
    except* StoreError as broken:
        cause = next(_leaves(broken))
        job.end(Stop.BROKEN, cause.message, cause)
    finally:
        job.progress.status, job.progress.reason = job.ending
        job.progress.over_budget = job.stop is Stop.BUDGET
        job.progress.ended = perf_counter()


async def _worker(
    job: Job, work: Iterator[tuple[Sample, int]], on_result: OnResult
) -> None:
    for sample, epoch in work:
        try:
            found = await _ask(job, sample, epoch)
        except Parked as parked:
            job.end(Stop.PARKED, parked.message, parked)
            return
        except BudgetError as spent:
            job.end(Stop.BUDGET, spent.message, spent)
            return
        except LaneEnded:
            return
        await on_result(sample, found)
        job.progress.add(found)


async def _ask(job: Job, sample: Sample, epoch: int) -> SampleResult:
    request = Request.model_construct(
        model=job.spec.model.model,
        messages=job.render(sample),
        config=job.spec.config,
        stream=job.spec.stream,
        sample_id=sample.id,
        epoch=epoch,
    )
    job.progress.in_flight += 1
    try:
        outcome = await generate(job.lane, request)
    finally:
        job.progress.in_flight -= 1
    if outcome.error is not None and _kills_lane(outcome.error):
        job.end(Stop.DEAD, _dead_reason(outcome.error), outcome.error)
    return _sample_result(job, sample, epoch, outcome)


def _sample_result(
    job: Job, sample: Sample, epoch: int, outcome: Outcome
) -> SampleResult:
    error = outcome.error
    completion = outcome.completion
    return SampleResult.model_construct(
        run_id=job.spec.run_id,
        sample_id=sample.id,
        epoch=epoch,
        completion=completion,
        error_type=type(error).__name__ if error else None,
        error=error.message if error else None,
        error_transient=bool(error and (error.transient or _kills_lane(error))),
        timing=outcome.timing(streamed=job.spec.stream),
        attempts=outcome.attempts,
        failed_attempts=tuple(outcome.failed),
        cost=outcome.cost,
        cached=False,
        flags=_flags(job, outcome),
        started_at=outcome.started_at,
    )


def _flags(job: Job, outcome: Outcome) -> tuple[str, ...]:
    flags = outcome.heard.flags
    if outcome.lagged:
        flags += ("loop_lag",)
    answered = outcome.heard.response_model
    if answered is not None and not _same_model(job.spec.model.model, answered):
        flags += ("model_differs",)
    return flags


def _same_model(asked: str, answered: str) -> bool:
    """Whether the answer is by the model asked for, or by a dated snapshot of it."""
    bare = asked.partition(":")[0].casefold()
    rest = answered.casefold().removeprefix(bare)
    return rest != answered.casefold() and not rest.strip("-@0123456789")


def _kills_lane(error: RunnerError) -> bool:
    """A dead key or model, or an endpoint that cannot be reached after all tries."""
    return error.stops_lane or (
        isinstance(error, ConnectionFailedError) and error.code == "unreachable"
    )


def _dead_reason(error: RunnerError) -> str:
    return f"{type(error).__name__}: {error.message}"


def _leaves(group: BaseExceptionGroup[StoreError]) -> Iterator[StoreError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
