"""Beginning runs that are planned and stored: leased, with what is there left out."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from structlog.typing import FilteringBoundLogger

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Task
from aistrale_lab.engine.observing import Observer
from aistrale_lab.errors import LabError
from aistrale_lab.lab.attaching import make_lane
from aistrale_lab.lab.conduct import Conductor
from aistrale_lab.lab.limits import affordable_concurrency
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import LanePlan
from aistrale_lab.scorers.base import NamedScorer
from aistrale_lab.store.charges import charge
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.terminal import note


def begin(
    task: Task,
    plans: Sequence[LanePlan],
    scorers: Sequence[NamedScorer],
    chosen: RunOptions,
    *,
    retry: Literal["failed", "transient"],
    store: Store,
    log: FilteringBoundLogger,
    observer: Observer | None,
) -> Conductor:
    """Lease the runs of one experiment, and make what conducts them to their end.

    Samples that have a row are left out, but for those whose error is to be tried
    again. Raises StoreError if another process executes one of the runs.
    """
    experiment_id = plans[0].spec.experiment_id
    chosen = _within_limits(chosen, lanes=len(plans))
    runs = {run.id: run for run in store.runs_of(experiment_id)}
    _charge(store, experiment_id, plans)
    begun = _lease(store, plans, runs)
    progress = {run_id: make_lane(runs[run_id]) for run_id in begun}
    finished = {r: store.finished_keys(r, retry=retry) for r in begun}
    for run_id, keys in finished.items():
        progress[run_id].skipped = len(keys)
    return Conductor(
        task=task,
        plans=plans,
        progress=progress,
        finished=finished,
        scorers=scorers,
        options=chosen,
        store=store,
        log=log.bind(experiment_id=experiment_id),
        spent=sum(map(Decimal, store.spent(begun)), Decimal(0)),
        observer=observer,
    )


def _lease(
    store: Store, plans: Sequence[LanePlan], runs: Mapping[str, RunRecord]
) -> list[str]:
    """Take the lease of every run, or of none: then they are left as they were."""
    begun: list[str] = []
    try:
        for plan in plans:
            store.begin_run(plan.spec.run_id)
            begun.append(plan.spec.run_id)
    except LabError:
        for run_id in begun:
            _leave(store, runs[run_id])
        raise
    return begun


def _charge(store: Store, experiment_id: str, plans: Sequence[LanePlan]) -> None:
    """What is sent for an experiment is paid by whoever owns it."""
    owner = store.get_experiment(experiment_id).owner
    if owner is not None:
        runs = [plan.spec.run_id for plan in plans]
        store.recorder.call(lambda c: charge(c, runs, owner)).result()


def _leave(store: Store, run: RunRecord) -> None:
    if run.status in (RunStatus.PENDING, RunStatus.RUNNING):
        store.end_run(run.id, RunStatus.INTERRUPTED, "not begun")
    else:
        store.end_run(run.id, run.status, run.reason)


def _within_limits(chosen: RunOptions, *, lanes: int) -> RunOptions:
    """The options with no more calls in flight than the machine has files for."""
    most = affordable_concurrency(chosen.concurrency, lanes)
    if most < chosen.concurrency:
        note(f"open files are limited: {most} calls in flight for each model")
    return chosen.model_copy(update={"concurrency": most})
