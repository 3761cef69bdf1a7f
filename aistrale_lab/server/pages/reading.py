"""What pages read of the store, each only as far as the caller sees it."""

from collections.abc import Hashable, Sequence

from fastapi import Request
from sqlalchemy import func, select

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.server.caller import caller_of
from aistrale_lab.store.experiments import seen_experiment, seen_run
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import SCORES


def store_of(request: Request) -> Store:
    """The store that is served."""
    store: Store = request.app.state.bench.store
    return store


def open_experiment(request: Request, experiment_id: str) -> Experiment:
    """An experiment by its whole id; raises NotFoundError if the caller sees none."""
    store = store_of(request)
    record = seen_experiment(store, caller_of(request).viewer, experiment_id)
    return Experiment(store, record.id)


def open_run(request: Request, run_id: str) -> RunRecord:
    """A run by its whole id; raises NotFoundError if the caller sees none."""
    return seen_run(store_of(request), caller_of(request).viewer, run_id)


def is_running(runs: Sequence[RunRecord]) -> bool:
    """Whether a run goes on, as far as the store knows."""
    return any(run.status is RunStatus.RUNNING for run in runs)


def is_executed(request: Request, experiment_id: str) -> bool:
    """Whether this process, or another that lives, executes the experiment."""
    return not request.app.state.bench.attach(experiment_id).done()


def state_of(
    request: Request, *sources: Experiment | RunRecord
) -> tuple[Hashable, ...]:
    """What changes when what is stored of experiments or runs does."""
    runs = [
        run
        for one in sources
        for run in (one.runs if isinstance(one, Experiment) else [one])
    ]
    ids = [run.id for run in runs]
    scores = select(func.count(), func.sum(SCORES.c.value))
    scored = store_of(request).read(scores.where(SCORES.c.run_id.in_(ids)))[0]
    states = [
        (run.id, run.status, run.completed, run.failed, run.finished_at) for run in runs
    ]
    return (*states, *scored)
