"""The experiments of a store as far as somebody may see them, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, true

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.accounts import USERS
from aistrale_lab.store.leases import SILENT, standing
from aistrale_lab.store.reading import EXPERIMENTS, RUNS, experiment_of
from aistrale_lab.store.records import ExperimentRecord, RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.tallies import count_runs
from aistrale_lab.store.visibility import Viewer
from aistrale_lab.store.writing import clean

FIRST = (
    RunStatus.RUNNING,
    RunStatus.FAILED,
    RunStatus.INTERRUPTED,
    RunStatus.PENDING,
    RunStatus.COMPLETED,
)
"""Of several states of runs, the one that an experiment is said to be in."""


class ExperimentEntry(Value):
    """An experiment in a list: whose it is, whom it asked, how far it came."""

    record: ExperimentRecord
    owner_name: str | None
    models: tuple[str, ...]
    status: RunStatus
    planned: int
    answered: int
    failed: int


class ExperimentList(Value):
    """A part of a list; `found` is the length of all of it."""

    entries: tuple[ExperimentEntry, ...]
    found: int


def list_experiments(
    store: Store, viewer: Viewer, *, search: str = "", offset: int = 0, limit: int = 25
) -> ExperimentList:
    """Those that the viewer sees and whose name has the words, newest first."""
    named: ColumnElement[Any] = true()
    if words := clean(search):
        named = EXPERIMENTS.c.name.icontains(words, autoescape=True)
    where = viewer.sees(), named
    count = select(func.count()).select_from(EXPERIMENTS).where(*where)
    rows = store.read(
        select(EXPERIMENTS)
        .where(*where)
        .order_by(EXPERIMENTS.c.created_at.desc(), EXPERIMENTS.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    found = store.read(count)[0][0]
    return ExperimentList(entries=tuple(_entries(store, rows)), found=found)


def seen_experiment(store: Store, viewer: Viewer, which: str) -> ExperimentRecord:
    """An experiment by its whole id; raises NotFoundError if it is not seen."""
    found = store.read(
        select(EXPERIMENTS).where(EXPERIMENTS.c.id == which, viewer.sees())
    )
    if not found:
        raise NotFoundError(f"there is no experiment {which!r}")
    return experiment_of(found[0])


def seen_run(store: Store, viewer: Viewer, which: str) -> RunRecord:
    """A run by its whole id; raises NotFoundError if its experiment is not seen."""
    found = store.read(
        select(RUNS.c.id)
        .join(EXPERIMENTS, EXPERIMENTS.c.id == RUNS.c.experiment_id)
        .where(RUNS.c.id == which, viewer.sees())
    )
    if not found:
        raise NotFoundError(f"there is no run {which!r}")
    return store.get_run(which)


def _entries(store: Store, rows: Sequence[Row[Any]]) -> list[ExperimentEntry]:
    runs = store.read(_runs_of([row.id for row in rows]))
    tallies = count_runs(store, [run.id for run in runs])
    names = _names(store, [row.owner for row in rows])
    entries = []
    for row in rows:
        own = [run for run in runs if run.experiment_id == row.id]
        counted = [tallies[run.id] for run in own]
        failed = sum(tally.failed for tally in counted)
        entries.append(
            ExperimentEntry(
                record=experiment_of(row),
                owner_name=names.get(row.owner),
                models=tuple(
                    dict.fromkeys(f"{run.provider}/{run.model}" for run in own)
                ),
                status=_status([standing(run)["status"] for run in own]),
                planned=sum(run.planned for run in own),
                answered=sum(tally.rows for tally in counted) - failed,
                failed=failed,
            )
        )
    return entries


def _runs_of(experiment_ids: Sequence[str]) -> Select[Any]:
    return (
        select(RUNS, SILENT)
        .where(RUNS.c.experiment_id.in_(list(experiment_ids)))
        .order_by(RUNS.c.position)
    )


def _names(store: Store, user_ids: Sequence[str | None]) -> Mapping[str, str]:
    """The names of users by their ids."""
    asked = [one for one in dict.fromkeys(user_ids) if one is not None]
    found = store.read(select(USERS.c.id, USERS.c.name).where(USERS.c.id.in_(asked)))
    return {row.id: row.name for row in found}


def _status(states: Sequence[RunStatus]) -> RunStatus:
    return next((one for one in FIRST if one in states), RunStatus.PENDING)
