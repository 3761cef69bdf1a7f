"""Means of several columns over the same samples, and how they vary together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from aistrale_lab.errors import ValidationError

from .arrays import FloatArray, IntArray, label_codes

DIRECT_BELOW = 100_000_000
"""Up to so many drawn units (units times draws) each one is drawn by its index."""

CHUNK = 4_000_000
"""Counts in memory at a time while resampling."""


@dataclass(frozen=True, slots=True)
class Units:
    """What is resampled: samples, or groups of them, with the sums of their values.

    `means` holds the mean of each column; `influence` (units by columns) what each
    unit adds to the error of that mean: (its sum - its size * mean) / all values.
    """

    means: FloatArray
    influence: FloatArray

    @property
    def count(self) -> int:
        return int(self.influence.shape[0])

    @property
    def covariance(self) -> FloatArray:
        """The estimated covariance of the means; of no use with fewer than two units.

        K.-Y. Liang and S. L. Zeger, Longitudinal data analysis using generalized
        linear models, Biometrika 73 (1986) 13-22, times G / (G - 1) for G units.
        """
        factor = self.count / max(self.count - 1, 1)
        return np.asarray(factor * self.influence.T @ self.influence)


def columns(values: ArrayLike) -> FloatArray:
    """The values as a float64 table, samples by columns; ValidationError for NaN."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValidationError(f"expected samples by models, not {table.ndim}-D")
    if not np.isfinite(table).all():
        raise ValidationError(
            "NaN and infinity are no scores; leave out what is missing"
        )
    return table


def make_units(table: FloatArray, groups: Iterable[Any] | None = None) -> Units:
    """The samples as units, or their groups; there must be at least one sample."""
    samples = table.shape[0]
    means = table.mean(axis=0)
    errors = (table - means) / samples
    if groups is None:
        return Units(means, errors)
    distinct, codes = label_codes(groups, samples)
    return Units(means, _sum_by(codes, errors, len(distinct)))


def drawn_means(
    units: Units, draws: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Bootstrap means, draws by columns, in chunks that fit into memory.

    Units are drawn with replacement (B. Efron, Bootstrap methods, Ann. Stat. 7 (1979)
    1-26), groups of unequal size in linear approximation (A. C. Davison and D. V.
    Hinkley, Bootstrap methods and their application (1997)). Above
    DIRECT_BELOW the means come from `multiplied_means`, their limit.
    """
    if units.count * draws > DIRECT_BELOW:
        yield from multiplied_means(units, draws, rng)
        return
    for size in _chunks(draws, units.count):
        yield units.means + _counts(units.count, size, rng) @ units.influence


def multiplied_means(
    units: Units, draws: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Means whose errors are sums of each unit's times a normal number, as above.

    The multiplier bootstrap of V. Chernozhukov, D. Chetverikov and K. Kato, Ann. Stat.
    41 (2013) 2786-2819. Given the values its draws are exactly normal, with the
    covariance of the means; so they are drawn as that, at any number of units.
    """
    root = _root(units.covariance)
    for size in _chunks(draws, units.means.size):
        yield units.means + rng.standard_normal((size, units.means.size)) @ root


def _chunks(draws: int, width: int) -> list[int]:
    if draws < 1:
        raise ValidationError(f"a bootstrap of {draws} draws says nothing")
    rows = max(1, CHUNK // max(width, 1))
    return [min(rows, draws - start) for start in range(0, draws, rows)]


def _sum_by(codes: IntArray, table: FloatArray, count: int) -> FloatArray:
    sums = [np.bincount(codes, weights=column, minlength=count) for column in table.T]
    return np.asarray(sums, dtype=np.float64).reshape(len(sums), count).T


def _counts(units: int, draws: int, rng: np.random.Generator) -> FloatArray:
    drawn = rng.integers(0, units, size=(draws, units))
    drawn += units * np.arange(draws)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=draws * units)
    return counts.reshape(draws, units).astype(np.float64)


def _root(covariance: FloatArray) -> FloatArray:
    # Columns that are equal or constant make it singular: no Cholesky decomposition.
    sizes, directions = np.linalg.eigh(covariance)
    return np.asarray((directions * np.sqrt(np.maximum(sizes, 0))).T)
