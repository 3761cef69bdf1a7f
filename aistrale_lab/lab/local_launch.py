"""Launching an experiment: checked, stored, leased, and handed to the engine."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.engine.observing import Observer
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.lab import cells, points
from aistrale_lab.lab.attaching import StoredRuns
from aistrale_lab.lab.begin import begin
from aistrale_lab.lab.exchanging import Place, StorePlace
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.forecasting import Basis, Plan, make_plan
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.handles import Handles
from aistrale_lab.lab.launcher import Order
from aistrale_lab.lab.listing import ModelList
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import LanePlan, check_budget, check_task, identity
from aistrale_lab.lab.provenance import provenance
from aistrale_lab.lab.providers import Providers
from aistrale_lab.lab.resuming import (
    SettingsOf,
    check_is_asked,
    check_not_another,
    check_source,
    check_unchanged,
    spec_of,
    stored_settings,
)
from aistrale_lab.lab.stopping import check_rule
from aistrale_lab.lab.turns import Turns
from aistrale_lab.logs import Log
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.scorers.base import NamedScorer
from aistrale_lab.settings import Settings
from aistrale_lab.store.batches import Batches
from aistrale_lab.store.records import ExperimentRecord, PointRecord, RunRecord, new_id
from aistrale_lab.store.results import Store
from aistrale_lab.terminal import note

T = TypeVar("T")


class LocalLauncher:
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
        self._providers = Providers(settings, store)
        self._handles = Handles()
        self._turns = Turns()
        self.shared: Place = StorePlace(store)
        self.url = store.url

    def close(self) -> None:
        """Stop what still runs, and end the embedded server."""
        self._handles.close()
        self._engine.wait(self._providers.close())

    def start(self, order: Order) -> RunHandle[Experiment]:
        """Check everything, store the experiment, and start it; see `Lab.start`."""
        scorers = check_task(order.task)
        endpoints = self._providers.endpoints(order.models, order.options)
        if self._settings.batch is not None:
            return self._start_point(order, endpoints, scorers)
        same = identity(order.name, order.task, endpoints)
        if order.fresh:
            return self._start_new(order, endpoints, scorers, same)
        with self._turns.of(same, order.owner):
            earlier = self._store.find_experiment(same, order.owner)
            if earlier is not None:
                return self._continue(earlier, order)
            check_not_another(self._store, order.name, order.task, order.owner)
            return self._start_new(order, endpoints, scorers, same)

    def _start_new(
        self,
        order: Order,
        endpoints: Sequence[tuple[ModelRef, Endpoint]],
        scorers: Sequence[NamedScorer],
        same: str,
    ) -> RunHandle[Experiment]:
        plans = self._providers.plan(order, endpoints, new_id())
        check_rule(order.options, order.task, plans)
        origin = cells.told_origin(self._settings.notebook)
        self._add(order, plans, same, origin)
        return self._launch(order.task, plans, scorers, order.options)

    def _start_point(
        self,
        order: Order,
        endpoints: Sequence[tuple[ModelRef, Endpoint]],
        scorers: Sequence[NamedScorer],
    ) -> RunHandle[Experiment]:
        """In a batch: the point's runs, of which what is stored is not sent again."""
        batch_id, key = str(self._settings.batch), str(self._settings.point)
        point = Batches(self._store).get_point(batch_id, key)
        experiment_id, same = points.experiment_of(point, order.name, order.task)
        plans = self._providers.plan(order, endpoints, experiment_id)
        plans = points.place(plans, point, experiment_id)
        check_rule(order.options, order.task, plans)
        origin = cells.told_origin(self._settings.notebook) or {}
        origin |= {"parameters": point.parameters}
        self._add(points.order_of(order, batch_id), plans, same, origin, point)
        own = [plan.spec.run_id for plan in plans]
        known = {run.id: run for run in self._store.runs_of(experiment_id)}
        if not any(self._store.unanswered(known[one]) for one in own):
            note(f"point {point.name} is answered already: nothing is sent")
            return self._look_at(experiment_id, [known[one] for one in own], own)
        return self._launch(order.task, plans, scorers, order.options, only=own)

    def _add(
        self,
        order: Order,
        plans: Sequence[LanePlan],
        same: str,
        origin: Mapping[str, Any] | None,
        point: PointRecord | None = None,
    ) -> None:
        self._store.add_experiment(
            experiment_id=plans[0].spec.experiment_id,
            name=order.name,
            identity=same,
            task=order.task,
            runs=[plan.spec for plan in plans],
            provenance=provenance(),
            tags=order.tags,
            origin=origin,
            point=point,
            owner=order.owner,
            visibility=order.visibility,
        )

    def forecast(self, order: Order, basis: Basis) -> Plan:
        """What a run would take; checks all but keys, stores nothing."""
        check_task(order.task)
        endpoints = self._providers.endpoints(order.models, order.options, keys=False)
        plans = self._providers.plan(order, endpoints, "")
        return make_plan(self._store, order.task, plans, order.options, basis)

    def find(self, order: Order) -> Experiment | None:
        """The experiment that `start` would go on with, if there is one."""
        endpoints = self._providers.endpoints(order.models, order.options, keys=False)
        same = identity(order.name, order.task, endpoints)
        found = self._store.find_experiment(same, order.owner)
        return Experiment(self._store, found.id) if found else None

    def know(self, which: str) -> None:
        """Nothing: the store has all that there is."""

    def refresh(self, which: str) -> None:
        """Nothing: the store has all as it stands."""

    def list_runs(self, limit: int | None) -> list[RunRecord]:
        """All runs of the store, newest first."""
        return self._store.list_runs(limit)

    def scored(self, experiment_id: str) -> None:
        """Nothing: the scores are where they belong."""

    def attach(self, experiment_id: str) -> RunHandle[Experiment]:
        """The handle of an experiment, whoever executes it; see `Lab.attach`."""
        handle = self._handles.find(experiment_id)
        if handle is not None:
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
            self._handles.add(handle)
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
        self._handles.add(handle)
        return handle

    def place(self, ref: ModelRef, chosen: RunOptions) -> tuple[Endpoint, Price | None]:
        """Where a model's calls go, and what they cost; raises ConfigError."""
        ((_, endpoint),) = self._providers.endpoints([ref], chosen)
        return endpoint, self._providers.price(ref, endpoint)

    async def start_embedded(self) -> str:
        """The base URL of the models in the box, served from now on."""
        return await self._providers.embedded.start()

    async def list_models(self) -> ModelList:
        """What every endpoint offers; on the engine's loop."""
        return await self._providers.list_models()

    def _continue(
        self, earlier: ExperimentRecord, order: Order
    ) -> RunHandle[Experiment]:
        """A finished experiment as it is, one under way joined, else resumed."""
        ids = [run.id for run in self._store.runs_of(earlier.id)]
        running = self._handles.find_executing(earlier.id, ids, self._store)
        if running is not None:
            note(f"experiment {earlier.id} is under way: nothing is sent twice")
            return running
        runs = self._store.runs_of(earlier.id)
        check_is_asked(earlier, runs, order.task, order.models)
        if all(run.status is RunStatus.COMPLETED for run in runs):
            note(
                f"experiment {earlier.id} is finished: nothing is sent "
                "(fresh=True pays again)"
            )
            return self.attach(earlier.id)
        note(f"resuming experiment {earlier.id}: only what is missing is sent")
        return self.resume(runs, order.options, failed=False)

    def resume(
        self,
        runs: Sequence[RunRecord],
        chosen: RunOptions,
        *,
        failed: bool,
        settings: SettingsOf = stored_settings,
    ) -> RunHandle[Experiment]:
        """Send what is missing of runs of one experiment; see `Lab.start_resume`."""
        task = self._store.load_task(runs[0].experiment_id)
        check_source(task.dataset)
        scorers = check_task(task)
        specs = [spec_of(run, settings) for run in runs]
        known = dict(self._providers.endpoints([s.model for s in specs], chosen))
        plans = [
            LanePlan(
                spec=spec,
                endpoint=known[spec.model],
                price=self._providers.price(spec.model, known[spec.model]),
            )
            for spec in specs
        ]
        check_unchanged(runs, plans)
        check_rule(chosen, task, plans)
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
        """The handle of runs that are executed from now on, or are already."""
        experiment_id = plans[0].spec.experiment_id
        run_ids = [plan.spec.run_id for plan in plans]
        with self._turns.of(experiment_id):
            running = self._handles.find_executing(experiment_id, run_ids, self._store)
            if running is not None:
                return running
            return self._begin(task, plans, scorers, chosen, failed=failed, only=only)

    def _begin(
        self,
        task: Task,
        plans: Sequence[LanePlan],
        scorers: Sequence[NamedScorer],
        chosen: RunOptions,
        *,
        failed: bool,
        only: Sequence[str] | None,
    ) -> RunHandle[Experiment]:
        experiment_id = plans[0].spec.experiment_id
        work = begin(
            task,
            plans,
            scorers,
            chosen,
            retry="failed" if failed else "transient",
            store=self._store,
            log=self._log.logger,
            observer=self._observer,
        )
        handle = RunHandle(
            self._engine,
            work.conduct(),
            so_far=partial(Experiment, self._store, experiment_id, only),
            experiment_id=experiment_id,
            lanes=list(work.progress.values()),
            on_interrupt=lambda: note(
                f"stopped; what is done is stored. Run it again, or "
                f"`aistrale resume {experiment_id}`, to send the rest"
            ),
        )
        self._handles.add(handle)
        return handle
