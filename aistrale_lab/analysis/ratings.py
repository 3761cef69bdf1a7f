"""Bradley-Terry ratings of models from pairwise verdicts, with bootstrap intervals."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from aistrale_lab.errors import ValidationError

from .arrays import LEVEL, FloatArray, IntArray, check_level, finite, label_codes
from .strengths import BoolArray, standings, strengths

SCALE = 400 / np.log(10)
"""Points for a factor e in the odds to win; so 400 points are odds of 10 to 1."""

CENTRE = 1000.0
"""The mean of the ratings."""

OUTCOMES = (0.0, 0.5, 1.0)
"""A verdict: the first model lost, tied or won."""

CHUNK = 2_000_000
"""Numbers in memory at a time while resampling."""

Place = Literal["rated", "above", "below", "apart"]
"""Where a model stands to those that have a rating."""


@dataclass(frozen=True, slots=True)
class Rating:
    """A model's rating and its interval, over `n` verdicts of this model.

    Unrated models stand `above` or `below` all rated ones, by however much, or `apart`
    from them; their rating is None. A bound is None where it is infinite.
    """

    model: int
    rating: float | None
    low: float | None
    high: float | None
    place: Place
    n: int


def wins_matrix(
    first: Iterable[int], second: Iterable[int], outcome: Iterable[float], models: int
) -> FloatArray:
    """How often each model (row) beat each other one (column), a tie as half a win."""
    counts = np.bincount(
        _cells(first, second, outcome, models), minlength=models**2 * len(OUTCOMES)
    )
    return _wins(counts.astype(np.float64), models)


def bradley_terry(wins: ArrayLike) -> list[float | None]:
    """The rating of each model, by maximum likelihood; None if it has none.

    R. A. Bradley and M. E. Terry, Rank analysis of incomplete block designs,
    Biometrika 39 (1952) 324-345; on the scale of A. E. Elo with mean 1000. `wins` are
    wins of the row against the column, ties as half a win to each side (as in
    W.-L. Chiang et al., Chatbot Arena, arXiv 2403.04132 (2024)).

    The maximum exists only where every model can be reached from every other one by
    wins (L. R. Ford, Am. Math. Mon. 64 (1957) 28-33). So only the largest such set of
    models is rated (of equal ones, that with the first model), by the verdicts within
    it, which is what the likelihood of all verdicts tends to. Nothing is regularised.
    """
    table = np.asarray(wins, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValidationError(f"expected a square table of wins, not {table.shape}")
    counts = np.isfinite(table).all() and (table >= 0).all()
    if not counts or table.diagonal().any():
        raise ValidationError(
            "wins are counts: no NaN, none negative, none against oneself"
        )
    if not table.size:
        return []
    rated, _ = standings(table[None])
    points = _points(table, rated[0])
    return [
        float(value) if known else None
        for value, known in zip(points, rated[0], strict=True)
    ]


def ratings(
    first: Iterable[int],
    second: Iterable[int],
    outcome: Iterable[float],
    models: int,
    groups: Iterable[Any] | None = None,
    *,
    level: float = LEVEL,
    draws: int = 1_000,
    seed: int = 0,
) -> list[Rating]:
    """The rating of each model with the percentile interval of a bootstrap of verdicts.

    `first` and `second` are model numbers, `outcome` is 1, 0.5 or 0 for the first. As
    in Chatbot Arena (arXiv 2403.04132); with `groups` (the sample of each
    verdict, say), whole groups are drawn. A draw in which a model always wins or loses
    against the rated ones counts as infinite, one in which it never meets them not at
    all; a draw is centred on the point ratings of the models that it rates.
    """
    check_level(level)
    if draws < 1:
        raise ValidationError(f"a bootstrap of {draws} draws says nothing")
    cells = _cells(first, second, outcome, models)
    counts = np.bincount(cells, minlength=models**2 * len(OUTCOMES)).astype(np.float64)
    if not models:
        return []
    wins = _wins(counts, models)
    (rated,), (places,) = standings(wins[None])
    points = _points(wins, rated)
    low, high = np.full((2, models), np.nan)
    if rated.any():
        rng = np.random.default_rng(seed)
        parts = _drawn_counts(cells, counts, groups, draws, rng)
        drawn = [_draw_points(_wins(part, models), points, rated) for part in parts]
        low[rated], high[rated] = _bounds(np.concatenate(drawn), level)
    played = (wins + wins.T).sum(axis=1)
    return [
        Rating(
            model,
            _known(points[model]),
            _known(low[model]),
            _known(high[model]),
            _place(places[model]),
            round(float(played[model])),
        )
        for model in range(models)
    ]


def _points(wins: FloatArray, rated: BoolArray) -> FloatArray:
    found = strengths(wins[None], rated[None])[0]
    return np.where(rated, CENTRE + SCALE * found, np.nan)


def _draw_points(wins: FloatArray, points: FloatArray, rated: BoolArray) -> FloatArray:
    """Ratings of the rated models in each draw: infinite or NaN where there is none."""
    among = wins[:, rated][:, :, rated]
    known, places = standings(among)
    found = SCALE * strengths(among, known)
    count = np.maximum(known.sum(axis=1), 1)
    centre = (known * points[rated]).sum(axis=1) / count
    return np.where(known, found + centre[:, None], places)


def _bounds(drawn: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    bounds = np.full((2, drawn.shape[1]), np.nan)
    for model, column in enumerate(drawn.T):
        values = column[~np.isnan(column)]
        if values.size:
            # Without interpolation, as there may be infinities; so rather too wide.
            bounds[0, model] = np.quantile(values, (1 - level) / 2, method="lower")
            bounds[1, model] = np.quantile(values, (1 + level) / 2, method="higher")
    return bounds[0], bounds[1]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _place(place: float) -> Place:
    if np.isnan(place):
        return "apart"
    if place == 0:
        return "rated"
    return "above" if place > 0 else "below"


def _cells(
    first: Iterable[int], second: Iterable[int], outcome: Iterable[float], models: int
) -> IntArray:
    """Each verdict as one number: who, against whom, with which outcome."""
    one, other, won = finite(first), finite(second), finite(outcome)
    if not one.size == other.size == won.size:
        raise ValidationError(
            f"{one.size}, {other.size} and {won.size} values make no verdicts"
        )
    for side in (one, other):
        if np.any((side < 0) | (side >= models) | (side != np.floor(side))):
            raise ValidationError(f"a model's number is not within 0 and {models - 1}")
    if np.any(one == other):
        raise ValidationError("a model was compared with itself")
    if not np.isin(won, OUTCOMES).all():
        raise ValidationError("an outcome is 1 (the first won), 0.5 (a tie) or 0")
    return np.asarray((one * models + other) * 3 + won * 2, dtype=np.int64)


def _wins(counts: FloatArray, models: int) -> FloatArray:
    """Counts by cell (the last axis) as wins of rows against columns."""
    table = counts.reshape(*counts.shape[:-1], models, models, len(OUTCOMES))
    lost, tied, won = (table[..., outcome] for outcome in range(3))
    return np.asarray(won + tied / 2 + np.swapaxes(lost + tied / 2, -1, -2))


def _drawn_counts(
    cells: IntArray,
    counts: FloatArray,
    groups: Iterable[Any] | None,
    draws: int,
    rng: np.random.Generator,
) -> Iterator[FloatArray]:
    by_group = None
    width = counts.size
    if groups is not None:
        distinct, codes = label_codes(groups, cells.size)
        ones = np.ones(cells.size)
        by_group = csr_array((ones, (codes, cells)), (len(distinct), counts.size))
        width = max(width, len(distinct))
    rows = max(1, CHUNK // max(width, 1))
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        if not cells.size:
            yield np.zeros((size, counts.size))
        elif by_group is None:
            drawn = rng.multinomial(cells.size, counts / cells.size, size=size)
            yield drawn.astype(np.float64)
        else:
            units = by_group.shape[0]
            chosen = rng.multinomial(units, np.full(units, 1 / units), size=size)
            yield np.asarray((by_group.T @ chosen.T.astype(np.float64)).T)
