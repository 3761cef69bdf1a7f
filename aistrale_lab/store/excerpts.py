"""The beginnings of a few results' texts, read without the rest of them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_

from aistrale_lab.domain.values import Value
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS, SCORES

Key = tuple[str, str, int]
"""Run, sample and epoch."""

GROUP = 100
"""Keys in one statement: databases bound its parameters."""


class Excerpt(Value):
    """The beginning of an answer or of an error; `cut` says that there is more."""

    run_id: str
    sample_id: str
    epoch: int
    text: str | None
    error_type: str | None
    cut: bool


def read_excerpts(
    store: Store, keys: Iterable[Key], *, longest: int
) -> dict[Key, Excerpt]:
    """The results of these keys that there are, of their texts so many characters."""
    asked = list(dict.fromkeys(keys))
    found = {}
    for start in range(0, len(asked), GROUP):
        for row in store.read(_statement(asked[start : start + GROUP], longest)):
            found[row.run_id, row.sample_id, row.epoch] = _excerpt(row, longest)
    return found


def read_scores(store: Store, keys: Iterable[Key], scorer: str) -> dict[Key, float]:
    """The scores that a scorer gave to a few results, where there are any."""
    scores = SCORES.c
    asked = tuple_(scores.run_id, scores.sample_id, scores.epoch).in_(list(keys))
    statement = select(
        scores.run_id, scores.sample_id, scores.epoch, scores.value
    ).where(asked, scores.scorer == scorer, scores.value.is_not(None))
    return {
        (row.run_id, row.sample_id, row.epoch): row.value
        for row in store.read(statement)
    }


def _statement(keys: Iterable[Key], longest: int) -> Select[Any]:
    stored = RESULTS.c
    return select(
        stored.run_id,
        stored.sample_id,
        stored.epoch,
        stored.error_type,
        func.substr(stored.output, 1, longest + 1).label("output"),
        func.substr(stored.error, 1, longest + 1).label("error"),
    ).where(tuple_(stored.run_id, stored.sample_id, stored.epoch).in_(list(keys)))


def _excerpt(row: Row[Any], longest: int) -> Excerpt:
    text = row.output if row.error_type is None else row.error
    return Excerpt(
        run_id=row.run_id,
        sample_id=row.sample_id,
        epoch=row.epoch,
        text=None if text is None else text[:longest],
        error_type=row.error_type,
        cut=text is not None and len(text) > longest,
    )
