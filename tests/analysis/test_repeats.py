"""Samples asked more than once, against counting, scipy and statsmodels."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from aistrale_lab.analysis.repeats import (
    VarianceParts,
    epochs_mean,
    majority,
    make_reducer,
    pass_at_k,
    pass_hat_k,
    reduce_epochs,
    repeats,
    variance_parts,
)
from aistrale_lab.errors import ValidationError

SEEDS = range(20)


def draw_epochs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ones and zeros of 15 samples with 1 to 9 epochs, in no order."""
    rng = np.random.default_rng(seed)
    samples = rng.permutation(np.repeat(np.arange(15), rng.integers(1, 10, 15)))
    return (rng.random(samples.size) < rng.random(15)[samples]) * 1.0, samples


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_passing_is_counted_over_all_choices_of_k_epochs(seed: int, k: int) -> None:
    values, samples = draw_epochs(seed)

    some = reduce_epochs(values, samples, pass_at_k(k))
    every = reduce_epochs(values, samples, pass_hat_k(k))

    mine = [values[samples == sample] for sample in dict.fromkeys(samples.tolist())]
    chosen = [list(combinations(row, k)) for row in mine if row.size >= k]
    anywhere = [np.mean([any(choice) for choice in row]) for row in chosen]
    everywhere = [np.mean([all(choice) for choice in row]) for row in chosen]
    assert some.values == pytest.approx(anywhere, abs=1e-9)
    assert every.values == pytest.approx(everywhere, abs=1e-9)
    assert some.left_out == every.left_out == len(mine) - len(chosen)


@settings(deadline=None)
@given(st.integers(1, 3_000), st.data())
def test_the_chance_to_pass_is_that_of_binomial_coefficients(
    n: int, data: st.DataObject
) -> None:
    right, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, min(n, 60)))
    values = [1.0] * right + [0.0] * (n - right)

    some = reduce_epochs(values, [0] * n, pass_at_k(k)).values[0]
    every = reduce_epochs(values, [0] * n, pass_hat_k(k)).values[0]

    choices = math.comb(n, k)
    assert some == pytest.approx(1 - math.comb(n - right, k) / choices, abs=1e-9)
    assert every == pytest.approx(math.comb(right, k) / choices, abs=1e-9)
    assert 0 <= every <= some + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_of_epochs_is_that_of_pandas(seed: int) -> None:
    _, samples = draw_epochs(seed)
    values = np.random.default_rng(seed).normal(size=samples.size)

    found = reduce_epochs(values, samples, epochs_mean)

    expected = pd.Series(values).groupby(samples, sort=False).mean()
    assert found.values == pytest.approx(expected.to_numpy(), abs=1e-9)
    assert found.samples == tuple(expected.index)


def test_the_majority_decides_and_a_tie_counts_half() -> None:
    samples = ["a", "a", "a", "b", "b", "c", "d", "d"]

    found = reduce_epochs([1, 0, 1, 1, 0, 0, 0, 0], samples, majority)

    assert found.samples == ("a", "b", "c", "d")
    assert found.values.tolist() == [1, 0.5, 0, 0]


def test_a_sample_with_too_few_epochs_is_left_out_and_counted() -> None:
    found = reduce_epochs([1, 1, 0], ["a", "b", "b"], pass_at_k(2))

    assert (found.samples, found.values.tolist(), found.left_out) == (("b",), [1.0], 1)


@pytest.mark.parametrize("name", ["mean", "majority", "pass@1", "pass^1"])
def test_a_reducer_has_a_name(name: str) -> None:
    found = reduce_epochs([1, 0, 0], ["a", "b", "c"], make_reducer(name))

    assert found.values.tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["median", "pass@", "pass@-1", "pass@2.5"])
def test_an_unknown_reducer_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(ValidationError, match=r"mean, majority, pass@K, pass\^K"):
        make_reducer(name)


@pytest.mark.parametrize("reducer", [majority, pass_at_k(1), pass_hat_k(1)])
def test_only_0_and_1_are_right_or_wrong(reducer: Any) -> None:
    with pytest.raises(ValidationError, match="right or wrong"):
        reduce_epochs([0.5], ["a"], reducer)


@pytest.mark.parametrize("name", ["mean", "majority", "pass@2", "pass^2"])
def test_no_values_reduce_to_none(name: str) -> None:
    found = reduce_epochs([], [], make_reducer(name))

    assert (found.samples, found.values.size, found.left_out) == ((), 0, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_parts_of_variance_are_those_of_an_analysis_of_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, samples = draw_epochs(seed)
    values = rng.normal(size=15)[samples] * 2 + rng.normal(size=samples.size)

    found = variance_parts(values, samples)

    frame = pd.DataFrame({"value": values, "sample": samples})
    table = anova_lm(ols("value ~ C(sample)", frame).fit())
    counts = np.bincount(samples)
    typical = (counts.sum() - (counts**2).sum() / counts.sum()) / (counts.size - 1)
    squares = table["mean_sq"]
    assert found.within == pytest.approx(squares["Residual"], abs=1e-9)
    expected = (squares["C(sample)"] - squares["Residual"]) / typical
    assert found.between == pytest.approx(max(0, expected), abs=1e-9)


def test_the_parts_of_variance_are_unbiased() -> None:
    rng = np.random.default_rng(0)
    samples = np.repeat(np.arange(4_000), 5)
    values = rng.normal(0, 2, 4_000)[samples] + rng.normal(0, 3, samples.size)

    found = variance_parts(values, samples)

    assert found.between == pytest.approx(4, rel=0.06)
    assert found.within == pytest.approx(9, rel=0.06)


def test_a_part_of_variance_that_cannot_be_told_is_none() -> None:
    assert variance_parts([], []) == VarianceParts(None, None, 0, 0)
    assert variance_parts([1, 2], ["a", "b"]) == VarianceParts(None, None, 2, 2)
    assert variance_parts([1, 3], ["a", "a"]) == VarianceParts(None, 2.0, 1, 2)


def test_a_negative_part_of_variance_is_0() -> None:
    assert variance_parts([0, 1, 0, 1], ["a", "a", "b", "b"]).between == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_vary_as_counting_and_scipy_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, samples = draw_epochs(seed)
    answers = rng.choice(["4", "four", "5"], size=samples.size, p=[0.6, 0.3, 0.1])

    found = repeats(answers.tolist(), samples)

    for row in found:
        mine = answers[samples == row.sample]
        times = np.unique(mine, return_counts=True)[1]
        pairs = [a != b for a, b in combinations(mine, 2)]
        assert (row.epochs, row.distinct) == (mine.size, times.size)
        expected = pytest.approx(np.mean(pairs), abs=1e-9) if pairs else None
        assert row.flip_rate == expected
        assert row.entropy == pytest.approx(stats.entropy(times, base=2), abs=1e-9)


@given(st.integers(1, 50))
def test_equal_answers_neither_flip_nor_surprise(epochs: int) -> None:
    (found,) = repeats(["yes"] * epochs, ["a"] * epochs)

    assert (found.distinct, found.entropy) == (1, 0)
    assert found.flip_rate == (0 if epochs > 1 else None)


def test_a_missing_answer_needs_a_name() -> None:
    with pytest.raises(ValidationError, match="name what has none"):
        repeats(["4", None], ["a", "a"])


def test_no_answers_have_no_rows() -> None:
    assert repeats([], []) == ()


def test_k_is_at_least_1() -> None:
    for reducer in (pass_at_k, pass_hat_k):
        with pytest.raises(ValidationError, match="at least 1"):
            reducer(0)
