"""Resampling a million values by the counts of their cells, not one by one."""

from dataclasses import dataclass

import numpy as np

from .arrays import FloatArray

DISTINCT = 4_096
"""With at most so many distinct units, each is a cell of its own, and nothing is lost."""

TAIL = 512
"""So many of the smallest, and of the largest, units are cells of their own."""

SLICES = 2_048
"""The units between the tails are cut into so many cells."""

ROWS = 256
"""Draws in memory at a time."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Units of nearly the same value: their share of all, mean sum, mean size, variance."""

    shares: FloatArray
    sums: FloatArray
    sizes: FloatArray
    variances: FloatArray


def cell_draws(
    sums: FloatArray, sizes: FloatArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Bootstrap replicates of a ratio of totals, sum(sums) / sum(sizes).

    How often each cell is drawn is multinomial; within a cell the drawn values add to a
    normal number with the cell's mean and variance. With DISTINCT or fewer different
    units that is the bootstrap itself; else only what lies within one of SLICES cells
    is approximated (the central limit theorem for n / SLICES nearly equal values), and
    the tails, which the theorem would get wrong, are drawn one by one.
    """
    n = sums.size
    cells = _make_cells(sums, sizes)
    replicates = np.empty(draws)
    for start in range(0, draws, ROWS):
        counts = rng.multinomial(n, cells.shares, size=min(ROWS, draws - start))
        drawn = counts.astype(np.float64)
        noise = np.sqrt(drawn @ cells.variances) * rng.standard_normal(len(drawn))
        totals = drawn @ cells.sums + noise
        replicates[start : start + ROWS] = totals / (drawn @ cells.sizes)
    return replicates


def _make_cells(sums: FloatArray, sizes: FloatArray) -> Cells:
    # What a unit adds to the ratio's deviation is its residual: order by that.
    residuals = sums - sizes * (sums.sum() / sizes.sum())
    order = np.lexsort((sizes, sums, residuals))
    sums, sizes, residuals = sums[order], sizes[order], residuals[order]
    changes = (np.diff(sums) != 0) | (np.diff(sizes) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    if starts.size <= DISTINCT:
        shares = np.diff(starts, append=sums.size) / sums.size
        return Cells(shares, sums[starts], sizes[starts], np.zeros(starts.size))
    return _sliced(sums, sizes, residuals)


def _sliced(sums: FloatArray, sizes: FloatArray, residuals: FloatArray) -> Cells:
    n = sums.size
    middle = np.linspace(TAIL, n - TAIL, SLICES, endpoint=False).astype(np.int64)
    starts = np.concatenate([np.arange(TAIL), middle, np.arange(n - TAIL, n)])
    counts = np.diff(starts, append=n)
    means = np.add.reduceat(residuals, starts) / counts
    squares = (residuals - np.repeat(means, counts)) ** 2
    return Cells(
        counts / n,
        np.add.reduceat(sums, starts) / counts,
        np.add.reduceat(sizes, starts) / counts,
        np.add.reduceat(squares, starts) / counts,
    )
