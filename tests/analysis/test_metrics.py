"""Means, intervals and percentiles, against statsmodels and at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from aistrale_lab.analysis.metrics import (
    mean_metric,
    percentile,
    t_interval,
    wilson_interval,
)
from aistrale_lab.errors import ValidationError

finite = st.floats(-1e6, 1e6)
levels = st.floats(0.5, 0.999)


@st.composite
def proportions(draw: st.DrawFn) -> tuple[int, int]:
    """Successes, and the number of trials."""
    n = draw(st.integers(1, 100_000))
    return draw(st.integers(0, n)), n


@settings(deadline=None)
@given(proportions(), levels)
def test_the_wilson_interval_is_that_of_statsmodels(
    proportion: tuple[int, int], level: float
) -> None:
    found = wilson_interval(*proportion, level)

    expected = proportion_confint(*proportion, alpha=1 - level, method="wilson")
    assert found == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(proportions())
def test_the_wilson_interval_lies_within_0_and_1_around_the_share(
    proportion: tuple[int, int],
) -> None:
    found = wilson_interval(*proportion)

    assert found is not None
    assert 0 <= found[0] <= proportion[0] / proportion[1] <= found[1] <= 1
    assert found[0] < found[1]


@pytest.mark.parametrize(
    ("successes", "n", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0000, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_wilson_interval_is_that_of_newcombes_table(
    successes: int, n: int, interval: tuple[float, float]
) -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3
    assert wilson_interval(successes, n) == pytest.approx(interval, abs=5e-5)


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=200), levels)
def test_the_t_interval_is_that_of_statsmodels(
    values: list[float], level: float
) -> None:
    found = t_interval(values, level)

    expected = DescrStatsW(np.array(values)).tconfint_mean(alpha=1 - level)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_one_value_has_a_mean_but_no_interval() -> None:
    metric = mean_metric([0.3])

    assert (metric.value, metric.n, metric.method) == (0.3, 1, "t")
    assert (metric.ci_low, metric.ci_high) == (None, None)


@pytest.mark.parametrize("binary", [True, False, None])
def test_no_values_have_no_mean(binary: bool | None) -> None:
    metric = mean_metric([], binary=binary)

    assert (metric.value, metric.ci_low, metric.ci_high, metric.n) == (
        None,
        None,
        None,
        0,
    )


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1))
def test_zeros_and_ones_are_a_proportion(values: list[float]) -> None:
    metric = mean_metric(values)

    assert metric.method == "wilson"
    assert (metric.ci_low, metric.ci_high) == wilson_interval(
        int(sum(values)), len(values)
    )


@settings(deadline=None)
@given(st.lists(finite, min_size=2), st.just(0.5))
def test_other_values_have_the_t_interval(values: list[float], other: float) -> None:
    metric = mean_metric([*values, other])

    assert metric.method == "t"
    assert (metric.ci_low, metric.ci_high) == t_interval([*values, other])


def test_zeros_and_ones_are_no_proportion_if_the_caller_says_so() -> None:
    assert mean_metric([0, 1, 1], binary=False).method == "t"


def test_binary_scores_must_be_0_or_1() -> None:
    with pytest.raises(ValidationError, match="must be 0 or 1"):
        mean_metric([0.5], binary=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    for function in (mean_metric, t_interval):
        with pytest.raises(ValidationError, match="leave out what is missing"):
            function([1.0, value])
    with pytest.raises(ValidationError, match="leave out what is missing"):
        percentile([1.0, value], 50)


@pytest.mark.parametrize("level", [0, 1, 95, -1, math.nan])
def test_a_level_is_between_0_and_1(level: float) -> None:
    with pytest.raises(ValidationError, match="not between 0 and 1"):
        wilson_interval(1, 2, level)
    with pytest.raises(ValidationError, match="not between 0 and 1"):
        t_interval([1, 2], level)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_more_successes_than_trials_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValidationError, match="is no proportion"):
        wilson_interval(successes, n)


@settings(deadline=None)
@given(st.lists(finite, min_size=1), st.floats(0, 100))
def test_a_percentile_is_that_of_numpy(values: list[float], q: float) -> None:
    assert percentile(values, q) == float(np.percentile(values, q))


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 50) is None
