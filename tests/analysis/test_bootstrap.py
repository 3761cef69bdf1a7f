"""The BCa bootstrap, against scipy on the same resamples and at a million values."""

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from aistrale_lab.analysis.bootstrap import Percentile, bca, clustered_bca, mean
from aistrale_lab.analysis.cells import DISTINCT, cell_draws
from aistrale_lab.analysis.intervals import Interval, clustered_t, t_interval
from aistrale_lab.errors import ValidationError

SEEDS = range(20)


def bounds(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None and interval.high is not None
    return interval.low, interval.high


def same_within(found: Interval, expected: Interval, share: float) -> bool:
    """Whether the bounds differ by less than a share of the expected width."""
    low, high = bounds(expected)
    off = np.abs(np.subtract(bounds(found), (low, high)))
    return bool((off < share * (high - low)).all())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("statistic", [mean, np.mean, np.median, np.std])
def test_the_interval_is_that_of_scipy_on_the_same_resamples(
    statistic: Callable[[np.ndarray], float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=rng.integers(10, 2_000 if statistic is mean else 150))
    level = float(rng.choice([0.8, 0.95, 0.99]))

    found = bca(values, statistic, draws=999, seed=seed, level=level)

    expected = stats.bootstrap(
        (values,),
        np.mean if statistic is mean else statistic,
        n_resamples=999,
        method="BCa",
        confidence_level=level,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    assert bounds(found) == pytest.approx(tuple(expected), abs=1e-9)
    assert (found.method, found.n) == ("bca", values.size)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_zeros_and_ones_is_that_of_scipy(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, size=40).astype(float)

    found = bca(values, draws=999, seed=seed)

    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=999, rng=np.random.default_rng(seed)
    ).confidence_interval
    assert bounds(found) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_clusters_are_resampled_as_the_ratio_of_their_sums_and_sizes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(25), rng.integers(0, 25, size=100)])
    values = rng.normal(size=25)[groups] + rng.exponential(size=groups.size)

    found = clustered_bca(values, groups, draws=999, seed=seed)

    expected = stats.bootstrap(
        (np.bincount(groups, weights=values), np.bincount(groups)),
        lambda sums, sizes, axis: sums.sum(axis=axis) / sizes.sum(axis=axis),
        n_resamples=999,
        paired=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    assert bounds(found) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize("q", [50, 90, 95])
@pytest.mark.parametrize("n", [12, 61, 400])
def test_a_percentile_has_the_interval_of_its_resamples(q: float, n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)

    def percentile(drawn: np.ndarray) -> float:  # five times as fast as numpy's
        last = drawn.size - 1
        return float(np.interp(q / 100 * last, np.arange(last + 1), np.sort(drawn)))

    found = bca(values, Percentile(q), draws=100_000)

    drawn = bca(values, percentile, draws=20_000)
    assert found.value == pytest.approx(float(np.percentile(values, q)))
    assert same_within(found, drawn, 0.05)


@pytest.mark.parametrize("q", [0, 100])
def test_the_smallest_and_the_largest_value_are_percentiles(q: float) -> None:
    values = np.arange(50.0)

    found = bca(values, Percentile(q))

    assert found.value == (49 if q else 0)
    assert 0 <= bounds(found)[0] <= bounds(found)[1] <= 49


@pytest.mark.parametrize("seed", range(3))
def test_drawing_cells_is_as_good_as_drawing_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(sigma=1.5, size=3 * DISTINCT)
    sizes = rng.integers(1, 4, size=values.size).astype(float)

    found = cell_draws(values, sizes, 2_000, rng)

    rows = [rng.integers(0, values.size, size=values.size) for _ in range(2_000)]
    drawn = np.array([values[row].sum() / sizes[row].sum() for row in rows])
    assert stats.ks_2samp(found, drawn).pvalue > 0.001
    assert found.std() == pytest.approx(drawn.std(), rel=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_few_distinct_values_are_drawn_by_their_binomials(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.random(20_000) < 0.01).astype(float)

    found = cell_draws(values, np.ones(values.size), 2_000, rng)

    drawn = rng.binomial(20_000, values.mean(), size=2_000) / 20_000
    assert stats.ks_2samp(found, drawn).pvalue > 0.001
    assert found * 20_000 == pytest.approx(np.round(found * 20_000), abs=1e-6)


@pytest.mark.parametrize("binary", [True, False])
def test_a_million_values_agree_with_the_t_interval_in_little_memory(
    binary: bool,
) -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(size=1_000_000)
    values = (values > 2).astype(float) if binary else values

    tracemalloc.start()
    found = bca(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert same_within(found, t_interval(values), 0.1)
    assert peak < 500_000_000


def test_a_million_values_in_groups_agree_with_the_clustered_interval() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 150_000, size=1_000_000)
    values = rng.normal(size=150_000)[groups] + rng.exponential(size=groups.size)

    found = clustered_bca(values, groups)

    assert same_within(found, clustered_t(values, groups), 0.1)


def test_the_median_of_a_million_values_is_that_of_a_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(size=1_000_000)

    low, high = bounds(bca(values, Percentile(50)))

    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(math.pi / 2) / 1e3, rel=0.1)


def test_many_values_are_jackknifed_in_blocks() -> None:
    values = np.sort(np.random.default_rng(0).exponential(size=6_000))

    in_blocks = bca(values, lambda drawn: float(drawn.mean()), draws=500)

    assert same_within(in_blocks, bca(values, draws=500), 0.02)


def test_the_unit_of_the_values_does_not_matter() -> None:
    values = np.random.default_rng(0).lognormal(size=40)

    found = bounds(bca(values * 1e-130))

    assert found == pytest.approx(
        np.multiply(bounds(bca(values)), 1e-130), rel=1e-9, abs=0
    )


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=100)

    assert bca(values, seed=3) == bca(values, seed=3)
    assert bca(values, seed=3) != bca(values, seed=4)


@pytest.mark.parametrize("values", [[0.7], [1.0] * 50, [0.1 + 0.2] * 30])
def test_values_without_variation_have_no_bootstrap_interval(
    values: list[float],
) -> None:
    for statistic in (mean, np.median, Percentile(90)):
        found = bca(values, statistic)

        assert found.value == pytest.approx(values[0])
        assert (found.low, found.high) == (None, None)


def test_no_values_have_no_statistic() -> None:
    assert bca([]) == Interval(None, None, None, "bca", 0)
    assert clustered_bca([], []) == Interval(None, None, None, "clustered_bca", 0)


def test_one_group_has_no_bootstrap_interval() -> None:
    found = clustered_bca([0, 1], ["a", "a"])

    assert found == Interval(0.5, None, None, "clustered_bca", 2)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValidationError, match="leave out what is missing"):
        bca([1.0, math.nan])
    with pytest.raises(ValidationError, match="0 draws says nothing"):
        bca([1.0, 2.0], draws=0)
    with pytest.raises(ValidationError, match="not within 0 and 100"):
        Percentile(101)
