"""Tests of families of comparisons, against statsmodels and at their edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from aistrale_lab.analysis import resampling
from aistrale_lab.analysis.multiple import (
    holm,
    model_pairs,
    simultaneous_intervals,
    tied_with_best,
)
from aistrale_lab.errors import ValidationError


def table(seed: int, n: int, means: list[float]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1)) + rng.normal(means, 1, size=(n, len(means)))


@pytest.mark.parametrize("seed", range(20))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p_values = np.round(rng.random(rng.integers(1, 30)) ** 3, seed % 4 + 1)

    found = holm(p_values)

    expected = multipletests(p_values, method="holm")[1]
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_makes_a_p_value_smaller_nor_changes_their_order(
    p_values: list[float],
) -> None:
    adjusted = holm(p_values)

    order = np.argsort(p_values, kind="stable")
    assert (adjusted >= p_values).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[order]) >= 0).all()


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1])
def test_holm_refuses_what_is_no_p_value(wrong: float) -> None:
    with pytest.raises(ValidationError):
        holm([0.5, wrong])


def test_the_best_is_tied_with_whom_it_does_not_beat_significantly() -> None:
    means = [0.5, 0.8, 0.79]

    tied = tied_with_best(means, [0.001, 0.002, 0.4])

    assert tied == {1, 2}


def test_the_family_of_ties_is_that_of_all_pairs() -> None:
    # 0.02 for the only pair with the best that counts is 0.06 among three.
    assert tied_with_best([0.9, 0.8, 0.8], [0.02, 0.02, 0.9]) == {0, 1, 2}
    assert tied_with_best([0.9, 0.8], [0.02]) == {0}


@pytest.mark.parametrize("models", [0, 1])
def test_without_rivals_only_the_best_is_tied(models: int) -> None:
    assert tied_with_best([0.5] * models, []) == set(range(models))


def test_too_few_p_values_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 pairs"):
        tied_with_best([0.1, 0.2, 0.3], [0.5])


@pytest.mark.parametrize("seed", range(20))
def test_the_p_value_of_a_pair_is_that_of_the_paired_t_test(seed: int) -> None:
    values = table(seed, 40, [0.0, 0.2, 0.5])

    found = simultaneous_intervals(values, draws=50)

    expected = [
        stats.ttest_rel(values[:, k], values[:, j]).pvalue for j, k in model_pairs(3)
    ]
    assert [pair.p_value for pair in found] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_one_pair_alone_gets_about_the_interval_of_the_t_test(seed: int) -> None:
    values = table(seed, 60, [0.0, 0.4])

    (pair,) = simultaneous_intervals(values, draws=20_000)

    expected = stats.ttest_rel(values[:, 1], values[:, 0]).confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx(tuple(expected), abs=0.03)


def test_many_equal_models_get_tukeys_quantile() -> None:
    values = np.random.default_rng(1).normal(size=(400, 5))

    found = simultaneous_intervals(values, draws=20_000)

    quantile = stats.studentized_range.ppf(0.95, 5, 399 * 4) / np.sqrt(2)
    for pair in found:
        assert pair.low is not None and pair.high is not None
        error = np.std(values[:, pair.second] - values[:, pair.first], ddof=1) / 20
        assert (pair.high - pair.low) / 2 / error == pytest.approx(quantile, abs=0.08)


def test_intervals_and_adjusted_p_values_agree() -> None:
    for seed in range(20):
        found = simultaneous_intervals(table(seed, 50, [0.0, 0.3, 0.6]), seed=seed)

        for pair in found:
            assert pair.low is not None and pair.high is not None
            assert pair.p_adjusted >= pair.p_value
            if abs(pair.p_adjusted - 0.05) > 0.002:
                assert (pair.p_adjusted < 0.05) == (pair.low > 0 or pair.high < 0)


def test_copies_of_samples_in_groups_are_no_further_evidence() -> None:
    values = table(3, 50, [0.0, 0.3, 0.6])

    once = simultaneous_intervals(values)
    thrice = simultaneous_intervals(
        np.repeat(values, 3, axis=0), np.repeat(range(50), 3)
    )

    for one, other in zip(once, thrice, strict=True):
        assert one.p_value == pytest.approx(other.p_value, abs=1e-12)
        assert one.low == pytest.approx(other.low, abs=1e-9)


def test_many_samples_are_drawn_from_the_normal_limit_in_little_time() -> None:
    values = table(4, 100_000, [0.0, 0.0, 0.02])
    units = resampling.make_units(values)

    drawn = np.concatenate(
        list(resampling.drawn_means(units, 2_000, np.random.default_rng(0)))
    )

    assert units.count * 2_000 > resampling.DIRECT_BELOW
    assert np.cov(drawn.T) == pytest.approx(np.cov(values.T) / 100_000, abs=2e-6)


@pytest.mark.parametrize("chunk", [1, 1_000])
def test_the_bootstrap_varies_like_the_mean(chunk: int) -> None:
    values = table(5, 50, [0.0, 1.0])

    drawn = np.concatenate(
        list(
            resampling.drawn_means(
                resampling.make_units(values), 4_000, np.random.default_rng(chunk)
            )
        )
    )

    assert drawn.shape == (4_000, 2)
    assert np.cov(drawn.T) == pytest.approx(np.cov(values.T, ddof=0) / 50, rel=0.15)


def test_the_same_seed_gives_the_same_intervals() -> None:
    values = table(6, 30, [0.0, 0.5, 0.5])

    assert simultaneous_intervals(values, seed=1) == simultaneous_intervals(
        values, seed=1
    )


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_models_that_never_differ_are_no_evidence(n: int) -> None:
    (pair,) = simultaneous_intervals(np.full((n, 2), 0.1))

    assert (pair.low, pair.high) == (None, None)
    assert pair.p_value == pair.p_adjusted == 1
    assert pair.difference == (0 if n else None)


def test_a_difference_that_never_varies_has_the_p_value_of_its_signs() -> None:
    values = np.column_stack([np.zeros(10), np.full(10, 0.3)])

    (pair,) = simultaneous_intervals(values)

    assert (pair.low, pair.high) == (None, None)
    assert pair.p_value == 2.0**-9


@pytest.mark.parametrize("models", [0, 1])
def test_without_pairs_there_are_no_intervals(models: int) -> None:
    assert simultaneous_intervals(np.ones((5, models))) == []


@pytest.mark.parametrize(
    "wrong", [[[1.0, float("nan")]], [1.0, 2.0], [[1.0, float("inf")]]]
)
def test_what_is_no_table_of_scores_is_refused(wrong: list[object]) -> None:
    with pytest.raises(ValidationError):
        simultaneous_intervals(np.array(wrong))


def test_a_bootstrap_without_draws_is_refused() -> None:
    with pytest.raises(ValidationError):
        simultaneous_intervals(np.eye(3), draws=0)
