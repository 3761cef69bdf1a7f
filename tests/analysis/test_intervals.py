"""Intervals of means and proportions, against statsmodels and at their edges."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from aistrale_lab.analysis.intervals import (
    WILSON_BELOW,
    Interval,
    clopper_pearson,
    clustered_t,
    mean_interval,
    t_interval,
    wilson,
)
from aistrale_lab.errors import ValidationError

SEEDS = range(25)
LEVELS = (0.8, 0.95, 0.99)


def bounds(interval: Interval) -> tuple[float | None, float | None]:
    return interval.low, interval.high


def draw_clusters(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values with groups of unequal sizes that vary between groups."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, rng.integers(2, 30), size=rng.integers(40, 400))
    return rng.normal(size=30)[groups] + rng.lognormal(size=groups.size), groups


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("function", "method"), [(wilson, "wilson"), (clopper_pearson, "beta")]
)
def test_an_interval_of_a_proportion_is_that_of_statsmodels(
    function: Any, method: str, seed: int, level: float
) -> None:
    n = int(np.random.default_rng(seed).integers(1, 5_000))
    successes = int(np.random.default_rng(seed).integers(0, n + 1))

    found = function(successes, n, level)

    expected = proportion_confint(successes, n, alpha=1 - level, method=method)
    assert bounds(found) == pytest.approx(expected, abs=1e-9)
    assert (found.value, found.n) == (successes / n, n)


@settings(deadline=None)
@given(st.integers(1, 100_000), st.booleans())
def test_a_proportion_of_all_or_none_keeps_a_width(n: int, right: bool) -> None:
    for function in (wilson, clopper_pearson):
        found = function(n if right else 0, n)

        assert found.low is not None and found.high is not None
        assert found.low < found.high
        assert (found.high if right else found.low) == float(right)


@settings(deadline=None)
@given(st.data(), st.integers(1, 10_000))
def test_clopper_pearson_contains_wilsons_centre_and_lies_within_0_and_1(
    data: st.DataObject, n: int
) -> None:
    successes = data.draw(st.integers(0, n))

    exact, score = clopper_pearson(successes, n), wilson(successes, n)

    assert exact.low is not None and exact.high is not None
    assert score.low is not None and score.high is not None
    assert 0 <= exact.low <= successes / n <= exact.high <= 1
    assert exact.low < (score.low + score.high) / 2 < exact.high


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_t_interval_is_that_of_statsmodels(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=rng.integers(2, 500))

    found = t_interval(values, level)

    expected = DescrStatsW(values).tconfint_mean(alpha=1 - level)
    assert bounds(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_clustered_interval_is_that_of_a_regression_on_a_constant(
    seed: int, level: float
) -> None:
    values, groups = draw_clusters(seed)

    found = clustered_t(values, groups, level)

    fit = OLS(values, np.ones(values.size)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    assert found.value == pytest.approx(fit.params[0], abs=1e-9)
    assert bounds(found) == pytest.approx(
        tuple(fit.conf_int(alpha=1 - level)[0]), abs=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_clusters_of_one_value_each_give_the_t_interval(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=50)

    found = clustered_t(values, range(50))

    assert bounds(found) == pytest.approx(bounds(t_interval(values)), abs=1e-12)


def test_the_names_of_groups_do_not_matter() -> None:
    values, groups = draw_clusters(0)

    named = clustered_t(values, [f"group {group}" for group in groups])

    assert bounds(named) == pytest.approx(bounds(clustered_t(values, groups)))


def test_one_group_has_a_mean_but_no_interval() -> None:
    found = clustered_t([0.0, 0.5, 1.0], ["a", "a", "a"])

    assert found == Interval(0.5, None, None, "clustered_t", 3)


@pytest.mark.parametrize(
    "found",
    [
        wilson(0, 0),
        clopper_pearson(0, 0),
        t_interval([]),
        clustered_t([], []),
        mean_interval([]),
        mean_interval([], []),
    ],
)
def test_no_values_have_no_mean(found: Interval) -> None:
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)


def test_one_value_has_an_interval_only_if_it_is_0_or_1() -> None:
    assert mean_interval([0.3]) == Interval(0.3, None, None, "t", 1)
    assert mean_interval([1]) == wilson(1, 1)


@pytest.mark.parametrize(
    ("values", "groups", "method"),
    [
        ([0, 1] * 100, None, "wilson"),
        ([0, 1] * 100, range(200), "wilson"),
        ([0, 1] * (WILSON_BELOW // 2), None, "t"),
        ([0, 0.5] * 100, None, "t"),
        ([0, 0.5] * 100, range(200), "t"),
        ([0, 1] * 100, [*range(199), 0], "clustered_t"),
        ([0.5] * 200, [1] * 100 + [2] * 100, "clustered_t"),
    ],
)
def test_the_interval_of_a_mean_suits_its_values(
    values: list[float], groups: list[int] | None, method: str
) -> None:
    assert mean_interval(values, groups).method == method


@pytest.mark.parametrize("right", [0, 1])
def test_a_thousand_equal_answers_are_no_certainty(right: int) -> None:
    found = mean_interval([right] * 1_000)

    assert found == wilson(1_000 * right, 1_000)


def test_equal_answers_in_groups_count_once_a_group() -> None:
    found = mean_interval([1] * 60, [n // 3 for n in range(60)])

    assert bounds(found) == bounds(wilson(20, 20))
    assert (found.method, found.n) == ("wilson_groups", 60)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]), st.integers(0, 9))
    )
)
def test_a_mean_lies_within_its_interval(rows: list[tuple[float, int]]) -> None:
    values, groups = [row[0] for row in rows], [row[1] for row in rows]

    for found in (mean_interval(values), mean_interval(values, groups)):
        assert found.n == len(values)
        assert (found.value is None) == (not values)
        if found.value is not None and found.low is not None:
            assert found.high is not None
            assert found.low <= found.value <= found.high


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_is_refused(value: Any) -> None:
    for interval in (t_interval, mean_interval):
        with pytest.raises(ValidationError, match="leave out what is missing"):
            interval([1.0, value])
    with pytest.raises(ValidationError, match="leave out what is missing"):
        clustered_t([1.0, value], [1, 2])


@pytest.mark.parametrize("label", [None, math.nan])
def test_a_missing_group_is_refused(label: Any) -> None:
    with pytest.raises(ValidationError, match="is no label"):
        mean_interval([1.0, 2.0], ["a", label])


def test_each_value_has_one_group() -> None:
    with pytest.raises(ValidationError, match="2 values have 3 labels"):
        clustered_t([1.0, 2.0], [1, 2, 3])


def test_values_are_a_flat_list() -> None:
    with pytest.raises(ValidationError, match="not 2-D"):
        t_interval(np.ones((2, 2)))


@pytest.mark.parametrize("level", [0, 1, 95, -1, math.nan])
def test_a_level_is_between_0_and_1(level: float) -> None:
    for call in (
        lambda: wilson(1, 2, level),
        lambda: clopper_pearson(1, 2, level),
        lambda: t_interval([1, 2], level),
        lambda: clustered_t([1, 2], [1, 2], level),
        lambda: mean_interval([], level=level),
    ):
        with pytest.raises(ValidationError, match="not between 0 and 1"):
            call()


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_more_successes_than_trials_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValidationError, match="is no proportion"):
        clopper_pearson(successes, n)


@pytest.mark.parametrize(
    ("successes", "n", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0000, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilsons_interval_is_that_of_newcombes_table(
    successes: int, n: int, interval: tuple[float, float]
) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
    found = wilson(successes, n)

    assert (found.low, found.high) == pytest.approx(interval, abs=5e-5)
