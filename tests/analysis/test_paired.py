"""Paired differences, against statsmodels and scipy, at their edges and at size."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from aistrale_lab.analysis.bootstrap import bca, clustered_bca
from aistrale_lab.analysis.paired import (
    PairedDifference,
    cohens_dz,
    paired_difference,
    score_interval,
)
from aistrale_lab.errors import ValidationError

SEEDS = range(20)


def draw_answers(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong answers of two models to the same questions."""
    rng = np.random.default_rng(seed)
    hard = rng.random(rng.integers(50, 400))
    return (rng.random(hard.size) < hard) * 1.0, (rng.random(hard.size) < hard) * 1.0


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_is_that_of_the_paired_t_test(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    baseline, noise = rng.lognormal(size=(2, int(rng.integers(2, 300))))

    found = paired_difference(baseline, baseline + noise - 1, level=level, draws=99)

    test = stats.ttest_rel(baseline + noise - 1, baseline)
    expected = test.confidence_interval(level)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-9)
    assert found.method == "paired_t"


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_that_share_groups_have_the_interval_of_a_clustered_regression(
    seed: int,
) -> None:
    baseline, candidate = draw_answers(seed)
    groups = np.arange(baseline.size) // 4

    found = paired_difference(baseline, candidate, groups, draws=99)

    fit = OLS(candidate - baseline, np.ones(baseline.size)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-9)
    assert found.method == "clustered_t"
    assert found.bca == clustered_bca(candidate - baseline, groups, 99)


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_are_counted_and_tested_as_statsmodels_and_scipy_do(seed: int) -> None:
    baseline, candidate = draw_answers(seed)

    found = paired_difference(baseline, candidate, draws=99, seed=seed)

    wins = int(((candidate == 1) & (baseline == 0)).sum())
    losses = int(((candidate == 0) & (baseline == 1)).sum())
    assert (found.wins, found.losses) == (wins, losses)
    assert found.ties == baseline.size - wins - losses
    assert found.odds_ratio == pytest.approx(wins / losses)
    exact = mcnemar([[0, wins], [losses, 0]], exact=True)
    assert found.tests.mcnemar == pytest.approx(exact.pvalue, abs=1e-9)
    ranks = stats.wilcoxon(candidate - baseline)
    assert found.tests.wilcoxon == pytest.approx(ranks.pvalue, abs=1e-9)
    assert found.bca == bca(candidate - baseline, draws=99, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_effect_size_is_t_over_the_root_of_n(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.2, 1, 50)

    found = cohens_dz(differences)

    expected = stats.ttest_1samp(differences, 0).statistic / math.sqrt(50)
    assert found == pytest.approx(expected, abs=1e-9)


def test_figures_other_than_0_and_1_have_no_mcnemar_test_and_no_odds() -> None:
    found = paired_difference([1.0, 2.0, 3.0], [2.0, 2.5, 2.0])

    assert (found.tests.mcnemar, found.odds_ratio) == (None, None)
    assert (found.wins, found.losses, found.ties) == (2, 1, 0)


def test_pairs_in_groups_are_tested_by_flipping_whole_groups() -> None:
    baseline, candidate = np.zeros(8), np.ones(8)

    found = paired_difference(baseline, candidate, [1, 1, 1, 1, 2, 2, 3, 3])

    assert found.tests.permutation == 2 / 2**3
    assert (found.tests.mcnemar, found.tests.wilcoxon) == (None, None)


def test_groups_of_one_pair_each_change_nothing() -> None:
    baseline, candidate = draw_answers(1)

    found = paired_difference(baseline, candidate, range(baseline.size))

    assert found == paired_difference(baseline, candidate)


def test_no_pairs_have_no_difference() -> None:
    found = paired_difference([], [])

    assert (found.difference, found.low, found.high, found.n) == (None, None, None, 0)
    assert (found.wins, found.losses, found.ties) == (0, 0, 0)
    assert (found.cohens_dz, found.odds_ratio, found.bca.value) == (None, None, None)
    assert found.tests.mcnemar is found.tests.wilcoxon is found.tests.permutation
    assert found.tests.mcnemar is None


def test_one_pair_has_a_difference_but_no_interval() -> None:
    found = paired_difference([0.5], [0.75])

    assert (found.difference, found.low, found.high) == (0.25, None, None)
    assert found.cohens_dz is None
    assert (found.tests.wilcoxon, found.tests.permutation) == (1, 1)


@pytest.mark.parametrize("groups", [None, [n // 2 for n in range(50)]])
def test_equal_answers_are_no_certainty_that_models_are_equal(groups: Any) -> None:
    answers = [0.0, 1.0] * 25

    found = paired_difference(answers, answers, groups)

    units = 25 if groups else 50
    assert found.difference == 0
    assert (found.low, found.high) == score_interval(0, units)
    assert found.high is not None and found.high > 0.05
    assert found.method == ("score_groups" if groups else "score")
    assert found.tests.permutation == 1
    assert (found.cohens_dz, found.bca.low) == (None, None)


@pytest.mark.parametrize("n", [1, 5, 20, 200, 5_000])
@pytest.mark.parametrize("difference", [-1, 0, 1])
def test_the_score_interval_solves_tangos_equations(difference: int, n: int) -> None:
    wins, losses = n * (difference > 0), n * (difference < 0)

    def deviation(delta: float) -> float:
        # Tango 1998; delta is the candidate's advantage
        a, b = 2 * n, -(wins + losses) + (2 * n - wins + losses) * delta
        c = -losses * delta * (1 - delta)
        loss = (math.sqrt(max(b * b - 4 * a * c, 0)) - b) / (2 * a)
        variance = n * (2 * loss + delta * (1 - delta))
        return (wins - losses - n * delta) / math.sqrt(variance)

    low, high = score_interval(difference, n)

    z = stats.norm.ppf(0.975)
    if low > -1:
        root = optimize.brentq(lambda d: deviation(d) - z, -1 + 1e-9, high - 1e-9)
        assert low == pytest.approx(root, abs=1e-9)
    if high < 1:
        root = optimize.brentq(lambda d: deviation(d) + z, low + 1e-9, 1 - 1e-9)
        assert high == pytest.approx(root, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0])] * 2),
        max_size=40,
    )
)
def test_swapping_the_sides_turns_every_sign(rows: list[tuple[float, float]]) -> None:
    baseline, candidate = [row[0] for row in rows], [row[1] for row in rows]

    found = paired_difference(baseline, candidate, draws=50)
    swapped = paired_difference(candidate, baseline, draws=50)

    assert (found.wins, found.losses) == (swapped.losses, swapped.wins)
    assert found.wins + found.losses + found.ties == found.n == len(rows)
    assert found.tests == swapped.tests
    assert (found.low is None) == (swapped.high is None)
    if found.low is not None and swapped.high is not None:
        assert found.low == pytest.approx(-swapped.high, rel=1e-9, abs=1e-9)


def assert_a_million_pairs_fit(found: PairedDifference, peak: int) -> None:
    assert found.n == 1_000_000
    assert found.low is not None and found.high is not None
    width = found.high - found.low
    assert found.bca.low == pytest.approx(found.low, abs=0.1 * width)
    assert found.bca.high == pytest.approx(found.high, abs=0.1 * width)
    assert peak < 1_000_000_000


@pytest.mark.parametrize("binary", [True, False])
def test_a_million_pairs_fit_into_a_gigabyte(binary: bool) -> None:
    rng = np.random.default_rng(0)
    baseline, candidate = rng.lognormal(size=(2, 1_000_000))
    if binary:
        baseline, candidate = (baseline > 1) * 1.0, (candidate > 1) * 1.0

    tracemalloc.start()
    found = paired_difference(baseline, candidate)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert_a_million_pairs_fit(found, peak)


def test_what_makes_no_pairs_is_refused() -> None:
    with pytest.raises(ValidationError, match="2 and 1 values make no pairs"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValidationError, match="leave out what is missing"):
        paired_difference([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(ValidationError, match="2 values have 1 labels"):
        paired_difference([1.0, 2.0], [1.0, 2.0], [1])
    with pytest.raises(ValidationError, match="cannot all differ by 0.5"):
        score_interval(0.5, 3)
