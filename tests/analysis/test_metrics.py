"""A score's mean over samples, epochs and groups, and percentiles."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.analysis.intervals import clustered_t, mean_interval, wilson
from aistrale_lab.analysis.metrics import Metric, percentile, score_metric
from aistrale_lab.errors import ValidationError

finite = st.floats(-1e6, 1e6)


def metric(
    scores: list[float],
    samples: list[str] | None = None,
    groups: list[str | None] | None = None,
) -> Metric:
    samples = samples or [str(place) for place in range(len(scores))]
    return score_metric(
        pd.Series(scores, dtype="float64"),
        pd.Series(samples, dtype="string"),
        pd.Series(groups or [None] * len(scores), dtype="string"),
    )


def bounds(found: Metric) -> tuple[float | None, float | None]:
    return found.ci_low, found.ci_high


def test_right_and_wrong_answers_have_wilsons_interval() -> None:
    found = metric([1, 0, 1, 1])

    expected = wilson(3, 4)
    assert (found.value, found.n, found.method) == (0.75, 4, "wilson")
    assert bounds(found) == (expected.low, expected.high)


def test_epochs_of_a_sample_are_one_observation() -> None:
    found = metric([1, 0, 1, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])

    expected = mean_interval([0.5, 1.0, 0.0])
    assert (found.value, found.n, found.method) == (0.5, 6, "t")
    assert bounds(found) == (expected.low, expected.high)


def test_repeating_an_epoch_does_not_narrow_the_interval() -> None:
    once = metric([1, 0, 1, 0, 1])
    often = metric([1, 0, 1, 0, 1] * 20, [*"abcde"] * 20)

    assert often.n == 100
    assert (often.value, *bounds(often)) == (once.value, *bounds(once))


def test_samples_of_a_group_are_clustered() -> None:
    groups: list[str | None] = ["x", "x", "y", "y", "z", "z"]
    scores = [0.9, 0.8, 0.6, 0.5, 0.7, 0.6]

    found = metric(scores, None, groups)

    expected = clustered_t(scores, groups)
    assert found.method == "clustered_t"
    assert bounds(found) == (expected.low, expected.high)


def test_a_share_stays_within_0_and_1_in_clusters_too() -> None:
    groups: list[str | None] = ["x", "x", "y", "y", "z", "z"]

    found = metric([1, 1, 0, 0, 1, 0], None, groups)

    assert bounds(found) == (0.0, 1.0)


def test_samples_without_a_group_stand_for_themselves() -> None:
    some = metric([1, 0, 1], None, ["x", None, None])

    assert some == metric([1, 0, 1])


def test_no_scores_have_no_mean() -> None:
    found = metric([])

    assert (found.value, *bounds(found), found.n) == (None, None, None, 0)


@settings(deadline=None)
@given(st.lists(finite, min_size=1), st.floats(0, 100))
def test_a_percentile_is_that_of_numpy(values: list[float], q: float) -> None:
    assert percentile(values, q) == float(np.percentile(values, q))


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 50) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="leave out what is missing"):
        percentile([1.0, value], 50)
