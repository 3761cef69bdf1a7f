"""Results a page at a time: sorted, searched and filtered by the database.

The rows of a page are chosen by their ids first; only theirs are then read, and of
their texts only the beginnings. So a page costs the same whatever the answers' size.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from aistrale_lab.domain.values import Value
from aistrale_lab.store.excerpts import Key
from aistrale_lab.store.page_search import PageQuery, Search
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS


class Page(Value):
    """Rows by column; `found` rows fit the query, of `total` that there are."""

    rows: tuple[dict[str, Any], ...]
    found: int
    total: int


class Beside(Value):
    """The place of a result, from 1 on, of `found` that fit, and its neighbours."""

    place: int
    found: int
    before: Key | None
    after: Key | None


def read_page(
    store: Store,
    runs: Sequence[RunRecord],
    query: PageQuery,
    columns: Sequence[str],
    scorers: Sequence[str],
) -> Page:
    """A page of the results of runs of one experiment.

    Every row bears `run_id`, `sample_id`, `epoch`, and the columns asked for. Raises
    ValidationError for a column, run or scorer that there is not.
    """
    search = Search(store, runs, query, scorers)
    search.check([*columns, *filter(None, [query.sort])])
    ids = [row[0] for row in store.read(search.ids())]
    found = {row["id"]: row for row in search.rows(ids, columns)} if ids else {}
    rows = [found[row_id] for row_id in ids if row_id in found]
    total = store.read(search.count(filtered=False))[0][0]
    filtered = total if search.whole else store.read(search.count(filtered=True))[0][0]
    return Page(rows=tuple(rows), found=filtered, total=total)


def find_beside(
    store: Store,
    runs: Sequence[RunRecord],
    query: PageQuery,
    scorers: Sequence[str],
    key: Key,
) -> Beside | None:
    """Where a result stands among those that fit, and which stand beside it.

    None if it does not fit. Raises ValidationError as `read_page` does.
    """
    search = Search(store, runs, query, scorers)
    search.check(list(filter(None, [query.sort])))
    for row in store.read(search.place(key)):
        keys = {one.id: one for one in store.read(keys_of([row.before, row.after]))}
        before, after = (
            (one.run_id, one.sample_id, one.epoch) if one else None
            for one in (keys.get(row.before), keys.get(row.after))
        )
        return Beside(place=row.place, found=row.found, before=before, after=after)
    return None


def keys_of(ids: Sequence[int | None]) -> Select[Any]:
    """The ids with what else names a result."""
    asked = [one for one in ids if one is not None]
    columns = RESULTS.c.id, RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch
    return select(*columns).where(RESULTS.c.id.in_(asked))
