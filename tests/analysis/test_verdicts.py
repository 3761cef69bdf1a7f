"""Ratings from scores: who wins which sample, and what is drawn."""

import numpy as np
import pytest

from aistrale_lab.analysis.ratings import ratings
from aistrale_lab.analysis.verdicts import score_ratings


def widths(scores: np.ndarray, clusters: np.ndarray | None = None) -> np.ndarray:
    """How wide the interval of each rating is."""
    found = score_ratings(scores, clusters, draws=2_000)
    return np.array([one.high - one.low for one in found])


def test_the_higher_score_wins_and_equal_ones_are_a_tie() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.5, 0.5], [0.8, 0.7]])

    found = score_ratings(scores, draws=100, seed=1)

    expected = ratings([0] * 4, [1] * 4, [1, 0, 0.5, 1], 2, range(4), draws=100, seed=1)
    assert found == expected


def test_whole_clusters_are_drawn() -> None:
    scores = (np.random.default_rng(0).random((300, 3)) < 0.5).astype(float)
    copied = np.repeat(scores, 4, axis=0)

    clustered = widths(copied, np.repeat(np.arange(300), 4))

    assert clustered == pytest.approx(widths(scores), rel=1e-6)
    assert (widths(copied) < 0.6 * clustered).all()


def test_blocks_of_many_samples_vary_as_the_samples_do() -> None:
    few = (np.random.default_rng(2).random((4_000, 3)) < [0.5, 0.6, 0.7]).astype(float)

    ratios = widths(few) / widths(np.tile(few, (4, 1)))

    # Four times as many samples halve the intervals; 2,000 draws tell that to 5 %.
    assert ratios == pytest.approx([2, 2, 2], rel=0.15)


def test_there_are_no_ratings_without_samples_and_of_one_model() -> None:
    (alone,) = score_ratings(np.ones((5, 1)))
    nobody = score_ratings(np.zeros((0, 2)))

    assert (alone.rating, alone.place, alone.n) == (None, "apart", 0)
    assert [one.rating for one in nobody] == [None, None]
