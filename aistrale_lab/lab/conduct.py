"""Conducting an experiment on the engine's loop, from the first lease to the last."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal

from structlog.typing import FilteringBoundLogger

from aistrale_lab.domain.runs import RunStatus, SampleResult
from aistrale_lab.domain.tasks import Sample, Task
from aistrale_lab.engine.budget import Budget
from aistrale_lab.engine.execute import Job, OnResult, Stop, execute
from aistrale_lab.engine.generate import Lane
from aistrale_lab.engine.pace import Pace
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.engine.watch import LagWatch, Turnstile
from aistrale_lab.errors import LabError, RunnerError
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import LanePlan, cost_bound
from aistrale_lab.lab.scoring import Scoring
from aistrale_lab.runners.base import Runner
from aistrale_lab.runners.registry import make_runner
from aistrale_lab.scorers.base import NamedScorer
from aistrale_lab.store.results import Store


@dataclass(slots=True)
class Conductor:
    """What one experiment needs while it is conducted."""

    task: Task
    plans: Sequence[LanePlan]
    progress: Mapping[str, LaneProgress]
    finished: Mapping[str, set[tuple[str, int]]]
    scorers: Sequence[NamedScorer]
    options: RunOptions
    store: Store
    log: FilteringBoundLogger
    spent: Decimal = Decimal(0)
    lag: LagWatch = field(default_factory=LagWatch)
    turnstile: Turnstile = field(default_factory=Turnstile)

    async def conduct(self) -> list[Job]:
        """Run every lane to its end and store how each ended.

        Being cancelled is one of the ends: the runs are marked as interrupted.
        A StoreError is raised after everything was shut down.
        """
        self.lag.start()
        scoring = Scoring(self.scorers, self.store.recorder.save_scores)
        jobs: list[Job] = []
        try:
            async with AsyncExitStack() as stack:
                try:
                    jobs = await self._make_jobs(stack)
                    await self._score_what_is_left(scoring)
                    await execute(jobs, self._keeper(scoring))
                except asyncio.CancelledError:
                    self.log.info("experiment_stopped")
                await scoring.drain()
        finally:
            self.lag.stop()
            await self._close_runs(jobs)
        for job in jobs:
            if job.stop is Stop.BROKEN and job.cause is not None:
                raise job.cause
        return jobs

    def _keeper(self, scoring: Scoring) -> OnResult:
        async def keep(sample: Sample, found: SampleResult) -> None:
            await self.store.recorder.save(found)
            if found.completion is not None:
                await scoring.submit(
                    found.run_id, sample, found.completion, found.epoch
                )
            else:
                self._log_failure(found)

        return keep

    async def _score_what_is_left(self, scoring: Scoring) -> None:
        """Score answers that an earlier process stored, but did not live to score."""
        samples = {sample.id: sample for sample in self.task.dataset}
        for run_id, finished in self.finished.items():
            if finished:
                names = [scorer.name for scorer in self.scorers]
                for found in self.store.answers(run_id, without_scores=names):
                    sample_id, epoch, completion = found
                    await scoring.submit(run_id, samples[sample_id], completion, epoch)

    def _log_failure(self, found: SampleResult) -> None:
        self.log.warning(
            "sample_failed",
            run_id=found.run_id,
            sample_id=found.sample_id,
            epoch=found.epoch,
            error_type=found.error_type,
            error=found.error,
            attempts=found.attempts,
        )

    async def _make_jobs(self, stack: AsyncExitStack) -> list[Job]:
        budget = None
        if self.options.budget is not None:
            budget = Budget(self.options.budget, spent=self.spent)
        runners: dict[str, Runner] = {}
        paces: dict[str, Pace] = {}
        jobs = []
        for plan in self.plans:
            provider, model = plan.endpoint.provider, str(plan.spec.model)
            where = model if plan.endpoint.kind == "replay" else provider
            if where not in runners:
                runners[where] = make_runner(plan.endpoint)
                stack.push_async_callback(runners[where].close)
            paces.setdefault(model, self._pace(plan))
            lane = self._lane(plan, runners[where], paces[model], budget)
            jobs.append(self._job(plan, lane))
        await self._open(runners, jobs)
        return jobs

    def _pace(self, plan: LanePlan) -> Pace:
        options = self.options
        return Pace(
            concurrency=options.concurrency,
            rpm=options.rpm or plan.endpoint.rpm,
            tpm=options.tpm or plan.endpoint.tpm,
            longest_wait=options.longest_wait,
            backoff=options.backoff,
        )

    def _lane(
        self,
        plan: LanePlan,
        runner: Runner,
        pace: Pace,
        budget: Budget | None,
    ) -> Lane:
        price = plan.price
        return Lane(
            runner=runner,
            pace=pace,
            policy=self.options.policy,
            lag=self.lag,
            turnstile=self.turnstile,
            price=price.of if price else lambda usage: None,
            bound=(lambda request: cost_bound(price, request)) if price else None,
            budget=budget,
        )

    def _job(self, plan: LanePlan, lane: Lane) -> Job:
        run_id = plan.spec.run_id
        finished = self.finished.get(run_id, set())
        return Job(
            spec=plan.spec,
            lane=lane,
            samples=self.task.dataset.samples,
            epochs=self.task.epochs,
            render=compile_prompt(self.task.prompt).render,
            skip=lambda sample_id, epoch: (sample_id, epoch) in finished,
            progress=self.progress[run_id],
            concurrency=self.options.concurrency,
        )

    async def _open(self, runners: Mapping[str, Runner], jobs: Sequence[Job]) -> None:
        """Make every runner ready; a runner that cannot ends its lanes alone."""
        for runner in runners.values():
            try:
                await runner.open()
            except RunnerError as error:
                for job in jobs:
                    if job.lane.runner is runner:
                        reason = f"{type(error).__name__}: {error.message}"
                        job.end(Stop.DEAD, reason, error)

    async def _close_runs(self, jobs: Sequence[Job]) -> None:
        """Store how each run ended; without a job it never began."""
        ended = {job.spec.run_id: (job.status, job.reason) for job in jobs}
        for plan in self.plans:
            run_id = plan.spec.run_id
            status, reason = ended.get(run_id, (RunStatus.INTERRUPTED, "stopped"))
            try:
                await asyncio.to_thread(self.store.end_run, run_id, status, reason)
            except LabError as error:
                self.log.error("run_end_not_stored", run_id=run_id, error=error.message)
            self.log.info(
                "run_ended", run_id=run_id, status=status.value, reason=reason
            )
