"""Ratings from scores: on each sample, the higher score wins."""

import numpy as np

from aistrale_lab.analysis.arrays import LEVEL, FloatArray, IntArray
from aistrale_lab.analysis.multiple import model_pairs
from aistrale_lab.analysis.ratings import Rating, ratings

BLOCKS = 4_000
"""More clusters than that are dealt into so many blocks, which are drawn instead.

The random groups of K. M. Wolter, Introduction to variance estimation (2nd ed., 2007),
chapter 2. They tell a standard error to 1 / sqrt(2 * 4,000), 1 %, as a bootstrap of
thousands of draws does.
"""


def score_ratings(
    scores: FloatArray,
    clusters: IntArray | None = None,
    *,
    level: float = LEVEL,
    draws: int = 1_000,
    seed: int = 0,
) -> list[Rating]:
    """The Bradley-Terry rating of each column of `scores`, samples by models.

    Each pair of models has a verdict on each sample; equal scores are a tie. Verdicts
    on one sample depend on each other, so whole samples (or clusters) are drawn.
    """
    samples, models = scores.shape
    pairs = np.array(model_pairs(models), dtype=np.int64).reshape(-1, 2)
    first, second = np.repeat(pairs.T, samples, axis=1)
    ahead = [np.sign(scores[:, one] - scores[:, other]) for one, other in pairs]
    outcome = (np.concatenate([np.zeros(0), *ahead]) + 1) / 2
    units = _blocks(np.arange(samples) if clusters is None else clusters, seed)
    return ratings(
        first,
        second,
        outcome,
        models,
        np.tile(units, len(pairs)),
        level=level,
        draws=draws,
        seed=seed,
    )


def _blocks(units: IntArray, seed: int) -> IntArray:
    count = int(units.max(initial=-1)) + 1
    if count <= BLOCKS:
        return units
    # A stream of its own: the seed's first one draws the blocks.
    return np.random.default_rng([seed, 1]).permutation(count)[units] % BLOCKS
