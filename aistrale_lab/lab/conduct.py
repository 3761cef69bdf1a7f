"""Conducting an experiment on the engine's loop, from the first lease to the last."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from structlog.typing import FilteringBoundLogger

from aistrale_lab.domain.runs import RunSpec, RunStatus, SampleResult, SampleScore
from aistrale_lab.domain.tasks import Sample, Task
from aistrale_lab.engine.budget import Budget
from aistrale_lab.engine.execute import STOPPED, Around, Job, OnResult, Stop, execute
from aistrale_lab.engine.generate import Lane
from aistrale_lab.engine.observing import LaneObserver, Observer
from aistrale_lab.engine.pace import Pace
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.engine.watch import LagWatch, Turnstile
from aistrale_lab.errors import LabError, RunnerError
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import LanePlan, bound_function, price_function
from aistrale_lab.lab.rates import make_pace
from aistrale_lab.lab.scoring import Scoring
from aistrale_lab.lab.stop_requests import stopped_on_request
from aistrale_lab.lab.stopping import StoppingRule
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
    observer: Observer | None = None
    lag: LagWatch = field(default_factory=LagWatch)
    turnstile: Turnstile = field(default_factory=Turnstile)
    rule: StoppingRule | None = field(default=None, init=False)
    jobs: list[Job] = field(default_factory=list, init=False)

    async def conduct(self) -> list[Job]:
        """Run every lane to its end and store how each ended.

        Being cancelled is one of the ends: the runs are marked as interrupted.
        A StoreError is raised after everything was shut down.
        """
        if self.observer is None:
            return await self._conduct()
        experiment_id = self.plans[0].spec.experiment_id
        with self.observer.experiment(experiment_id, self.task.name):
            return await self._conduct()

    async def _conduct(self) -> list[Job]:
        self.lag.start()
        self.rule = self._make_rule()
        scoring = Scoring(
            self.scorers, self.store.recorder.save_scores, self._observe_scores
        )
        try:
            async with AsyncExitStack() as stack:
                try:
                    async with stopped_on_request(self.store, self._run_ids):
                        await self._execute(stack, scoring)
                except asyncio.CancelledError:
                    self.log.info("experiment_stopped")
                await scoring.drain()
        finally:
            self.lag.stop()
            await self._close_runs(self.jobs)
        for job in self.jobs:
            if job.stop is Stop.BROKEN and job.cause is not None:
                raise job.cause
        return self.jobs

    @property
    def _run_ids(self) -> list[str]:
        return [plan.spec.run_id for plan in self.plans]

    async def _execute(self, stack: AsyncExitStack, scoring: Scoring) -> None:
        await self._make_jobs(stack)
        self._observe_what_is_known()
        await self._score_what_is_left(scoring)
        await execute(
            self.jobs, self._keeper(scoring), at_once=self.options.models_at_once
        )

    def _make_rule(self) -> StoppingRule | None:
        if self.options.stop_when is None:
            return None
        return StoppingRule(
            self.task,
            self._run_ids,
            end=self._decide,
            warn=lambda told: self.log.warning("no_stopping_rule", reason=told),
            seed=self.plans[0].spec.experiment_id,
            effect=self.options.effect,
        )

    def _decide(self, reason: str) -> None:
        for job in self.jobs:
            job.end(Stop.DECIDED, reason)

    def _observe_scores(self, run_id: str, scores: list[SampleScore]) -> None:
        if self.rule is None:
            return
        for found in scores:
            if found.scorer == self.scorers[0].name:
                value = found.score.value if found.score else None
                self.rule.observe(run_id, found.sample_id, value)

    def _observe_what_is_known(self) -> None:
        """Tell the rule what an earlier process has seen; it may be decided already."""
        if self.rule is None:
            return
        for run_id, finished in self.finished.items():
            known = self.store.known_scores(run_id, self.scorers[0].name)
            for sample_id, _ in finished:
                if sample_id in known:
                    self.rule.observe(run_id, sample_id, known[sample_id])

    def _keeper(self, scoring: Scoring) -> OnResult:
        async def keep(sample: Sample, found: SampleResult) -> None:
            await self.store.recorder.save(found)
            if found.completion is not None:
                await scoring.submit(
                    found.run_id, sample, found.completion, found.epoch
                )
            else:
                self._log_failure(found)
                if self.rule is not None:
                    self.rule.observe(found.run_id, sample.id, None)

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

    async def _make_jobs(self, stack: AsyncExitStack) -> None:
        budget = None
        if self.options.budget is not None:
            budget = Budget(self.options.budget, spent=self.spent)
        runners: dict[str, Runner] = {}
        paces: dict[str, Pace] = {}
        for plan in self.plans:
            provider, model = plan.endpoint.provider, str(plan.spec.model)
            where = model if plan.endpoint.kind == "replay" else provider
            if where not in runners:
                runners[where] = make_runner(plan.endpoint)
                stack.push_async_callback(runners[where].close)
            pace = make_pace(
                plan.endpoint, plan.spec.model.model, self.options, self.store.recorder
            )
            lane = Lane(
                runner=runners[where],
                pace=paces.setdefault(model, pace),
                policy=self.options.policy,
                lag=self.lag,
                turnstile=self.turnstile,
                price=price_function(plan.price),
                bound=bound_function(plan.price),
                budget=budget,
                observer=self._observer_of(plan),
            )
            self.jobs.append(self._job(plan, lane))
        await self._open(runners, self.jobs)

    def _job(self, plan: LanePlan, lane: Lane) -> Job:
        run_id = plan.spec.run_id
        finished = self.finished.get(run_id, set())
        return Job(
            spec=plan.spec,
            lane=lane,
            samples=self.rule.order if self.rule else self.task.dataset.samples,
            epochs=self.task.epochs,
            render=compile_prompt(self.task.prompt).render,
            skip=lambda sample_id, epoch: (sample_id, epoch) in finished,
            progress=self.progress[run_id],
            concurrency=self.options.concurrency,
            around=self._around(plan.spec),
        )

    def _observer_of(self, plan: LanePlan) -> LaneObserver | None:
        return self.observer.lane(plan.endpoint) if self.observer else None

    def _around(self, spec: RunSpec) -> Around:
        if self.observer is None:
            return nullcontext
        return partial(self.observer.run, spec, self.progress[spec.run_id])

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
        ended = {job.spec.run_id: job.ending for job in jobs}
        for plan in self.plans:
            run_id = plan.spec.run_id
            status, reason = ended.get(run_id) or self._unbegun(run_id)
            try:
                await asyncio.to_thread(self.store.end_run, run_id, status, reason)
            except LabError as error:
                self.log.error("run_end_not_stored", run_id=run_id, error=error.message)
            self.log.info(
                "run_ended", run_id=run_id, status=status.value, reason=reason
            )

    def _unbegun(self, run_id: str) -> tuple[RunStatus, str | None]:
        if self.progress[run_id].complete:
            return RunStatus.COMPLETED, None
        return RunStatus.INTERRUPTED, STOPPED
