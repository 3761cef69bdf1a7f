"""Experiments and datasets a page at a time, as far as somebody sees them."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.datasets import DATASETS
from aistrale_lab.store.reading import EXPERIMENTS, RUNS, experiment_of
from aistrale_lab.store.records import DatasetRecord, ExperimentRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.visibility import Viewer
from aistrale_lab.store.writing import clean


def page_of_experiments(
    store: Store, viewer: Viewer, *, begins: str, cursor: str | None, limit: int
) -> tuple[list[ExperimentRecord], str | None]:
    """Experiments that the viewer sees, newest first, and the cursor of the rest.

    `begins` is the beginning of their ids or of one of their runs'; `cursor` the id of
    the last one before. Raises NotFoundError for a cursor that is none.
    """
    statement = select(EXPERIMENTS).where(viewer.sees(), _begins(begins))
    if cursor is not None:
        statement = statement.where(_older_than(store, viewer, cursor))
    order = (EXPERIMENTS.c.created_at.desc(), EXPERIMENTS.c.id.desc())
    rows = store.read(statement.order_by(*order).limit(limit + 1))
    found = [experiment_of(row) for row in rows[:limit]]
    return found, found[-1].id if len(rows) > limit else None


def page_of_datasets(
    store: Store, viewer: Viewer, *, cursor: str | None, limit: int
) -> tuple[list[DatasetRecord], str | None]:
    """Datasets that the viewer sees, by their fingerprints, and the cursor of the rest."""
    statement = select(DATASETS).where(sees_dataset(viewer))
    if cursor is not None:
        statement = statement.where(DATASETS.c.fingerprint > cursor)
    rows = store.read(statement.order_by(DATASETS.c.fingerprint).limit(limit + 1))
    found = [DatasetRecord(**row._mapping) for row in rows[:limit]]
    return found, found[-1].fingerprint if len(rows) > limit else None


def is_seen(store: Store, viewer: Viewer, fingerprint: str) -> bool:
    """Whether the viewer sees a dataset."""
    mine = and_(DATASETS.c.fingerprint == fingerprint, sees_dataset(viewer))
    return bool(store.read(select(DATASETS.c.fingerprint).where(mine)))


def sees_dataset(viewer: Viewer) -> ColumnElement[Any]:
    """A dataset is seen with an experiment that asks it; by all, if none does."""
    asks = EXPERIMENTS.c.dataset == DATASETS.c.fingerprint
    return or_(
        exists().where(asks, viewer.sees()), ~exists().where(asks).correlate(DATASETS)
    )


def _begins(told: str) -> ColumnElement[Any]:
    text = clean(told) or ""
    runs = exists().where(
        RUNS.c.experiment_id == EXPERIMENTS.c.id,
        RUNS.c.id.startswith(text, autoescape=True),
    )
    return or_(EXPERIMENTS.c.id.startswith(text, autoescape=True), runs)


def _older_than(store: Store, viewer: Viewer, cursor: str) -> ColumnElement[Any]:
    moment = select(EXPERIMENTS.c.created_at).where(EXPERIMENTS.c.id == cursor)
    found = store.read(moment.where(viewer.sees()))
    if not found:
        raise NotFoundError(f"the cursor {cursor!r} is none of this list")
    created_at = EXPERIMENTS.c.created_at
    same = and_(created_at == found[0].created_at, EXPERIMENTS.c.id < cursor)
    return or_(created_at < found[0].created_at, same)
