"""Launching an experiment: checked, stored, leased, and handed to the engine."""

import contextlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import SecretStr

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.engine.observing import Observer
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ConfigError, LabError
from aistrale_lab.lab import cells, points
from aistrale_lab.lab.attaching import StoredRuns, make_lane
from aistrale_lab.lab.conduct import Conductor
from aistrale_lab.lab.endpoints import resolve
from aistrale_lab.lab.exchanging import StorePlace
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.forecasting import Plan, make_plan
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.limits import affordable_concurrency
from aistrale_lab.lab.listing import ModelList, list_models
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import (
    LanePlan,
    check_budget,
    check_task,
    identity,
    parse_models,
    plan_lanes,
    price_of,
)
from aistrale_lab.lab.provenance import provenance
from aistrale_lab.lab.resuming import (
    check_source,
    check_unchanged,
    replay_records,
    spec_of,
)
from aistrale_lab.lab.stopping import check_stoppable
from aistrale_lab.logs import Log
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.embedded import EmbeddedServer, RunningServer
from aistrale_lab.scorers.base import NamedScorer
from aistrale_lab.settings import Settings
from aistrale_lab.store.batches import Batches
from aistrale_lab.store.records import ExperimentRecord, RunRecord, Visibility, new_id
from aistrale_lab.store.results import Store
from aistrale_lab.terminal import note

T = TypeVar("T")


class Launcher:
    """Starts and resumes experiments over one store, on one engine."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log: Log,
        engine: EngineThread,
        observer: Observer | None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._engine = engine
        self._observer = observer
        self._embedded: EmbeddedServer | None = None
        self._handles: list[RunHandle[Any]] = []
        self.shared = StorePlace(store)
        """Where `push` and `pull` find the experiments."""
        self.url = store.url

    def close(self) -> None:
        """Stop what still runs, and end the embedded server."""
        for handle in self._handles:
            handle.leave()
        for handle in self._handles:
            with contextlib.suppress(Exception):  # whoever waits for it is told
                handle.wait()
        if self._embedded is not None:
            self._engine.wait(self._embedded.close())

    def start(
        self,
        task: Task,
        models: Iterable[str] | str,
        chosen: RunOptions,
        *,
        name: str,
        tags: dict[str, str],
        fresh: bool,
        owner: str | None = None,
        visibility: Visibility = "private",
    ) -> RunHandle[Experiment]:
        """Check everything, store the experiment, and start it; see `Lab.start`."""
        refs = parse_models(models)
        scorers = check_task(task)
        endpoints = self._endpoints(refs, chosen)
        if self._settings.batch is not None:
            return self._start_point(
                task, endpoints, scorers, chosen, name=name, tags=tags
            )
        same = identity(name, task, endpoints)
        if not fresh:
            earlier = self._store.find_experiment(same, owner)
            if earlier is not None:
                return self._continue(earlier, chosen)
            self._refuse_changed(name, task, owner)
        experiment_id = new_id()
        plans = plan_lanes(
            task,
            endpoints,
            chosen,
            experiment_id=experiment_id,
            new_id=new_id,
            prices=self._prices(),
        )
        if chosen.stop_when is not None:
            check_stoppable(task, [plan.spec.run_id for plan in plans])
        self._store.add_experiment(
            experiment_id=experiment_id,
            name=name,
            identity=same,
            task=task,
            runs=[plan.spec for plan in plans],
            provenance=provenance(),
            tags=tags,
            origin=self._origin() or ({"for_user": owner} if owner else None),
            owner=owner,
            visibility=visibility,
        )
        return self._launch(task, plans, scorers, chosen)

    def _start_point(
        self,
        task: Task,
        endpoints: Sequence[tuple[ModelRef, Endpoint]],
        scorers: Sequence[NamedScorer],
        chosen: RunOptions,
        *,
        name: str,
        tags: dict[str, str],
    ) -> RunHandle[Experiment]:
        """In a batch: the point's runs, of which what is stored is not sent again."""
        batch_id, key = str(self._settings.batch), str(self._settings.point)
        point = Batches(self._store).get_point(batch_id, key)
        experiment_id, same = points.experiment_of(point, name, task)
        plans = plan_lanes(
            task,
            endpoints,
            chosen,
            experiment_id=experiment_id,
            new_id=new_id,
            prices=self._prices(),
        )
        plans = points.place(plans, point, experiment_id)
        if chosen.stop_when is not None:
            check_stoppable(task, [plan.spec.run_id for plan in plans])
        self._store.add_experiment(
            experiment_id=experiment_id,
            name=name,
            identity=same,
            task=task,
            runs=[plan.spec for plan in plans],
            provenance=provenance(),
            tags={"batch": batch_id, **tags},
            origin={**(self._origin() or {}), "parameters": point.parameters},
            point=point,
        )
        own = [plan.spec.run_id for plan in plans]
        known = {run.id: run for run in self._store.runs_of(experiment_id)}
        if not any(self._store.unanswered(known[one]) for one in own):
            note(f"point {point.name} is answered already: nothing is sent")
            return self._look_at(experiment_id, [known[one] for one in own], own)
        return self._launch(task, plans, scorers, chosen, only=own)

    def _origin(self) -> dict[str, Any] | None:
        """The notebook cell that asks, after a word if cells ran out of order."""
        found = cells.origin(self._settings.notebook)
        if found is not None and found["in_order"] is False:
            note(cells.words_of(found))
        return found

    def plan(
        self, task: Task, models: Iterable[str] | str, chosen: RunOptions
    ) -> list[LanePlan]:
        """The lanes as `start` would make them; checks all but keys, stores nothing."""
        check_task(task)
        return plan_lanes(
            task,
            self._endpoints(parse_models(models), chosen, self._without_keys()),
            chosen,
            experiment_id="",
            new_id=new_id,
            prices=self._prices(),
        )

    def forecast(
        self,
        task: Task,
        models: Iterable[str] | str,
        chosen: RunOptions,
        *,
        pilot: str | None,
        effect: float | None,
        output_tokens: int | None,
    ) -> Plan:
        """What a run would take, and what it could show; see `Lab.plan`."""
        return make_plan(
            self._store,
            task,
            self.plan(task, models, chosen),
            chosen,
            pilot=pilot,
            effect=effect,
            output_tokens=output_tokens,
        )

    def know(self, which: str) -> None:
        """Nothing: the store has all that there is."""

    def refresh(self, which: str) -> None:
        """Nothing: the store has all as it stands."""

    def list_runs(self, limit: int | None) -> list[RunRecord]:
        """All runs of the store, newest first."""
        return self._store.list_runs(limit)

    def scored(self, experiment_id: str) -> None:
        """Nothing: the scores are where they belong."""

    def find(
        self,
        task: Task,
        models: Iterable[str] | str,
        chosen: RunOptions,
        name: str,
        owner: str | None = None,
    ) -> Experiment | None:
        """The experiment that `start` would go on with, if there is one."""
        endpoints = self._endpoints(parse_models(models), chosen, self._without_keys())
        found = self._store.find_experiment(identity(name, task, endpoints), owner)
        return Experiment(self._store, found.id) if found else None

    def attach(self, experiment_id: str) -> RunHandle[Experiment]:
        """The handle of an experiment, whoever executes it; see `Lab.attach`."""
        handle: RunHandle[Experiment]
        for handle in reversed(self._handles):
            if handle.experiment_id == experiment_id and not handle.done():
                return handle
        return self._look_at(experiment_id, self._store.runs_of(experiment_id))

    def _look_at(
        self,
        experiment_id: str,
        runs: Sequence[RunRecord],
        only: Sequence[str] | None = None,
    ) -> RunHandle[Experiment]:
        """A handle that follows what others execute, or is done if nobody does."""
        stored = StoredRuns(self._store, runs)
        owner = stored.owner
        handle = RunHandle(
            self._engine,
            stored.follow(),
            so_far=partial(Experiment, self._store, experiment_id, only),
            experiment_id=experiment_id,
            lanes=stored.lanes,
            owner=owner,
            ask_owner=partial(self._store.ask_to_stop, [run.id for run in runs]),
        )
        if owner is None:
            handle.wait()
        else:
            self._handles.append(handle)
        return handle

    def conduct(
        self,
        work: Coroutine[Any, Any, None],
        *,
        so_far: Callable[[], T],
        handle_id: str,
        lanes: Sequence[LaneProgress],
    ) -> RunHandle[T]:
        """Conduct other work over runs on the engine; it ends when the bench closes."""
        handle = RunHandle(
            self._engine, work, so_far=so_far, experiment_id=handle_id, lanes=lanes
        )
        self._handles.append(handle)
        return handle

    def place(self, ref: ModelRef, chosen: RunOptions) -> tuple[Endpoint, Price | None]:
        """Where a model's calls go, and what they cost; raises ConfigError."""
        ((_, endpoint),) = self._endpoints([ref], chosen)
        return endpoint, price_of(ref, endpoint, self._prices())

    async def start_embedded(self) -> str:
        """The base URL of the models in the box, served from now on."""
        return await self._embedded_server().start()

    async def list_models(self) -> ModelList:
        """What every endpoint offers; on the engine's loop."""
        return await list_models(
            self._settings, {"embedded": {"server": self._embedded_server()}}
        )

    def _continue(
        self, earlier: ExperimentRecord, chosen: RunOptions
    ) -> RunHandle[Experiment]:
        """A finished experiment as it is, an unfinished one resumed; says which."""
        runs = self._store.runs_of(earlier.id)
        if all(run.status is RunStatus.COMPLETED for run in runs):
            note(
                f"experiment {earlier.id} is finished: nothing is sent "
                "(fresh=True pays again)"
            )
            return self.attach(earlier.id)
        note(f"resuming experiment {earlier.id}: only what is missing is sent")
        return self.resume(runs, chosen, failed=False)

    def resume(
        self, runs: Sequence[RunRecord], chosen: RunOptions, *, failed: bool
    ) -> RunHandle[Experiment]:
        """Send what is missing of runs of one experiment; see `Lab.start_resume`."""
        task = self._store.load_task(runs[0].experiment_id)
        check_source(task.dataset)
        scorers = check_task(task)
        refs = [ModelRef(provider=r.provider, model=r.model_name) for r in runs]
        known = dict(self._endpoints(refs, chosen))
        plans = [
            LanePlan(
                spec=spec_of(run, ref),
                endpoint=known[ref],
                price=price_of(ref, known[ref], self._prices()),
            )
            for run, ref in zip(runs, refs, strict=True)
        ]
        check_unchanged(runs, plans)
        if chosen.stop_when is not None:
            check_stoppable(task, [run.id for run in runs])
        check_budget(plans, chosen)
        return self._launch(task, plans, scorers, chosen, failed=failed)

    def _launch(
        self,
        task: Task,
        plans: Sequence[LanePlan],
        scorers: Sequence[NamedScorer],
        chosen: RunOptions,
        *,
        failed: bool = False,
        only: Sequence[str] | None = None,
    ) -> RunHandle[Experiment]:
        experiment_id = plans[0].spec.experiment_id
        chosen = _within_limits(chosen, lanes=len(plans))
        begun = self._begin(plans)
        runs = {run.id: run for run in self._store.runs_of(experiment_id)}
        progress = {run_id: make_lane(runs[run_id]) for run_id in begun}
        retry: Literal["failed", "transient"] = "failed" if failed else "transient"
        finished = {r: self._store.finished_keys(r, retry=retry) for r in begun}
        for run_id, keys in finished.items():
            progress[run_id].skipped = len(keys)
        work = Conductor(
            task=task,
            plans=plans,
            progress=progress,
            finished=finished,
            scorers=scorers,
            options=chosen,
            store=self._store,
            log=self._log.logger.bind(experiment_id=experiment_id),
            spent=sum(map(Decimal, self._store.spent(begun)), Decimal(0)),
            observer=self._observer,
        )
        handle = RunHandle(
            self._engine,
            self._conduct(work),
            so_far=partial(Experiment, self._store, experiment_id, only),
            experiment_id=experiment_id,
            lanes=list(progress.values()),
            on_interrupt=lambda: note(
                f"stopped; what is done is stored. Run it again, or "
                f"`aistrale resume {experiment_id}`, to send the rest"
            ),
        )
        self._handles.append(handle)
        return handle

    def _begin(self, plans: Sequence[LanePlan]) -> list[str]:
        """Take the lease of every run, or of none."""
        begun: list[str] = []
        try:
            for plan in plans:
                self._store.begin_run(plan.spec.run_id)
                begun.append(plan.spec.run_id)
        except LabError:
            for run_id in begun:
                self._store.end_run(run_id, RunStatus.INTERRUPTED, "not begun")
            raise
        return begun

    async def _conduct(self, work: Conductor) -> None:
        await work.conduct()

    def _endpoints(
        self,
        refs: Sequence[ModelRef],
        chosen: RunOptions,
        settings: Settings | None = None,
    ) -> list[tuple[ModelRef, Endpoint]]:
        settings = settings or self._settings
        special: dict[str, dict[str, Any]] = {}
        if any(ref.provider == "embedded" for ref in refs):
            special["embedded"] = {"server": self._embedded_server()}
        found = []
        for ref in refs:
            if ref.provider == "replay":
                records = replay_records(ref.model, self._store)
                special["replay"] = {"records": records}
            places = chosen.concurrency * len(refs)
            found.append(
                (ref, resolve(ref, settings, concurrency=places, special=special))
            )
        return found

    def _embedded_server(self) -> EmbeddedServer:
        url = self._settings.embedded_url
        self._embedded = self._embedded or (
            RunningServer(url) if url else EmbeddedServer()
        )
        return self._embedded

    def _without_keys(self) -> Settings:
        """The settings for what sends nothing: a key that is absent is no fault."""
        keys = ("openai_api_key", "hf_token")
        absent = [name for name in keys if getattr(self._settings, name) is None]
        stand_ins = dict.fromkeys(absent, SecretStr("not-needed"))
        return self._settings.model_copy(update=stand_ins)

    def _prices(self) -> dict[str, Price]:
        return {
            name: Price(**price.model_dump())
            for name, price in self._settings.prices.items()
        }

    def _refuse_changed(self, name: str, task: Task, owner: str | None) -> None:
        """An unfinished experiment of that name must not silently become another."""
        earlier = self._store.find_experiment_named(name, owner)
        if earlier is None:
            return
        runs = self._store.runs_of(earlier.id)
        if all(run.status is RunStatus.COMPLETED for run in runs):
            return
        old = self._store.load_task(earlier.id).parts()
        changed = [part for part, value in task.parts().items() if old[part] != value]
        if changed:
            raise ConfigError(
                f"the unfinished experiment {earlier.id} {name!r} differs in "
                f"{', '.join(changed)}; fresh=True starts a new one, or give it "
                "another name"
            )


def _within_limits(chosen: RunOptions, *, lanes: int) -> RunOptions:
    """The options with no more calls in flight than the machine has files for."""
    most = affordable_concurrency(chosen.concurrency, lanes)
    if most < chosen.concurrency:
        note(f"open files are limited: {most} calls in flight for each model")
    return chosen.model_copy(update={"concurrency": most})
