"""An experiment as lines of text, to be merged into another store."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Select, Table, func, select, tuple_

from aistrale_lab.store.exchange_lines import (
    HEADER,
    KEY,
    NOT_CARRIED,
    VERSION,
    write_line,
)
from aistrale_lab.store.leases import SILENT, standing
from aistrale_lab.store.reading import EXPERIMENTS, RUNS
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import ATTEMPTS, RESULTS, SCORES

PAGE = 200
"""Results that are read, and merged, at a time."""


def list_experiments(store: Store) -> list[str]:
    """The ids of all experiments, oldest first."""
    order = (EXPERIMENTS.c.created_at, EXPERIMENTS.c.id)
    return [row.id for row in store.read(select(EXPERIMENTS.c.id).order_by(*order))]


def export_lines(
    store: Store,
    experiment_id: str,
    *,
    after: int | None = None,
    owned: bool = True,
) -> Iterator[str]:
    """The lines of an experiment, read a page at a time, as `exchange_lines` has them.

    `after` is the `next` of an earlier reading: dataset and samples are then left out,
    and so are the results that came with all their scores. What is being executed is
    told as it stands. Without `owned` nobody learns whose it is: elsewhere the id of a
    user means nothing.
    """
    yield write_line(HEADER, {"version": VERSION})
    if after is None:
        yield from _dataset_lines(store, experiment_id)
    condition = EXPERIMENTS.c.id == experiment_id
    for row in store.read(select(EXPERIMENTS).where(condition)):
        own = {} if owned else {"owner": None, "visibility": "private"}
        yield write_line("experiment", _fields(EXPERIMENTS, row) | own)
    runs = RUNS.c.experiment_id == experiment_id
    for row in store.read(select(RUNS, SILENT).where(runs).order_by(RUNS.c.position)):
        yield write_line("run", _fields(RUNS, row) | standing(row))
    yield from _result_lines(store, experiment_id, after or 0)


def _dataset_lines(store: Store, experiment_id: str) -> Iterator[str]:
    dataset = store.load_task(experiment_id).dataset
    head = store.get_dataset(dataset.fingerprint)
    yield write_line("dataset", head.model_dump())
    for sample in dataset:
        yield write_line("sample", sample.content())


def _result_lines(store: Store, experiment_id: str, last: int) -> Iterator[str]:
    """The results after a row, and the end."""
    scorers = len(store.get_experiment(experiment_id).task["scorers"])
    runs = [run.id for run in store.runs_of(experiment_id)]
    sent, unsettled = 0, None
    while page := store.read(_page(runs, last)):
        last = page[-1].id
        beside = [_beside(store, table, page) for table in (ATTEMPTS, SCORES)]
        for row in page:
            attempts, scores = (found.get(_key(row), []) for found in beside)
            if unsettled is None and not row.error_type and len(scores) < scorers:
                unsettled = row.id - 1
            told = {"failed_attempts": attempts, "scores": scores}
            yield write_line("result", _fields(RESULTS, row) | told)
        sent += len(page)
    counts = (
        store.read(select(func.count()).where(table.c.run_id.in_(runs)))[0][0]
        for table in (RESULTS, SCORES)
    )
    found = dict(zip(("all_results", "all_scores"), counts, strict=True))
    begin = last if unsettled is None else unsettled
    yield write_line("end", {"results": sent, "next": begin, **found})


def _page(runs: Sequence[str], last: int) -> Select[Any]:
    statement = select(RESULTS).where(RESULTS.c.run_id.in_(runs), RESULTS.c.id > last)
    return statement.order_by(RESULTS.c.id).limit(PAGE)


def _beside(
    store: Store, table: Table, page: Sequence[Row[Any]]
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """What a table holds beside the results of a page, by their keys."""
    columns = [table.c[name] for name in KEY]
    keys = [_key(row) for row in page]
    rest = ("number", "started_at") if table is ATTEMPTS else ("scorer",)
    statement = select(table).where(tuple_(*columns).in_(keys))
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in store.read(statement.order_by(*(table.c[name] for name in rest))):
        fields = _fields(table, row)
        found.setdefault(_key(row), []).append(fields)
    return found


def _fields(table: Table, row: Row[Any]) -> dict[str, Any]:
    """What is carried of a row."""
    left_out = NOT_CARRIED[table.name]
    return {n: value for n, value in row._asdict().items() if n not in left_out}


def _key(row: Row[Any]) -> tuple[str, str, int]:
    return row.run_id, row.sample_id, row.epoch
