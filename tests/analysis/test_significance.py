"""Tests of paired differences, against statsmodels and scipy and at their edges."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from aistrale_lab.analysis.significance import (
    EXACT_UP_TO,
    mcnemar_exact,
    sign_flip,
    wilcoxon_signed_rank,
)
from aistrale_lab.errors import ValidationError


@pytest.mark.parametrize("seed", range(40))
def test_mcnemars_test_is_that_of_statsmodels(seed: int) -> None:
    wins, losses = np.random.default_rng(seed).integers(1, 10 ** (1 + seed % 5), 2)

    found = mcnemar_exact(int(wins), int(losses))

    expected = mcnemar([[5, wins], [losses, 7]], exact=True).pvalue
    assert found == pytest.approx(expected, abs=1e-9)


@given(st.integers(0, 10_000))
def test_as_many_wins_as_losses_are_no_evidence(count: int) -> None:
    assert mcnemar_exact(count, count) == 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [5, 8, 30, 300])
@pytest.mark.parametrize("digits", [0, 9])
def test_wilcoxons_test_is_that_of_scipy(seed: int, n: int, digits: int) -> None:
    differences = np.round(np.random.default_rng(seed).normal(0.3, 1, n), digits)

    found = wilcoxon_signed_rank(differences)

    assert found == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 100])
def test_no_difference_is_no_evidence(n: int) -> None:
    assert wilcoxon_signed_rank([0.0] * n) == 1
    assert sign_flip([0.0] * n) == 1


def test_no_pairs_have_no_p_value() -> None:
    assert wilcoxon_signed_rank([]) is None
    assert sign_flip([]) is None


@pytest.mark.parametrize("seed", range(20))
def test_few_differences_have_all_their_signs_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    differences = np.round(rng.normal(0.5, 1, rng.integers(1, EXACT_UP_TO + 1)), 1)

    found = sign_flip(differences)

    signs = np.array(list(product((-1, 1), repeat=differences.size)))
    totals = np.abs(signs @ differences)
    expected = np.mean(totals >= abs(differences.sum()) - 1e-9)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_few_differences_have_the_p_value_of_scipys_permutation_test(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.5, 1, 9)

    found = sign_flip(differences)

    expected = stats.permutation_test(
        (differences, np.zeros(9)),
        lambda after, before, axis: (after - before).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert found == pytest.approx(expected, abs=1e-9)


def test_zeros_do_not_make_an_exact_test_random() -> None:
    differences = [1.0, 2.0, 3.0]

    assert sign_flip([*differences, *[0.0] * 1_000]) == sign_flip(differences) == 0.25


@pytest.mark.parametrize("seed", range(20))
def test_random_signs_agree_with_the_t_test(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.08, 1, 501)

    found = sign_flip(differences, draws=20_000, seed=seed)

    expected = stats.ttest_1samp(differences, 0).pvalue
    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("seed", range(20))
def test_random_signs_of_wins_and_losses_agree_with_mcnemars_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins, losses = (int(count) for count in rng.integers(30, 60, 2))

    found = sign_flip([1.0] * wins + [-1.0] * losses, draws=20_000, seed=seed)

    assert found == pytest.approx(mcnemar_exact(wins, losses), abs=0.02)


def test_a_p_value_is_never_0_and_the_same_seed_gives_the_same() -> None:
    differences = np.linspace(1, 2, 1_000)

    assert sign_flip(differences, draws=999) == 1 / 1_000
    centred = differences - 1.51
    assert sign_flip(centred, seed=5) == sign_flip(centred, seed=5)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_sign_of_all_differences_does_not_matter(values: list[float]) -> None:
    found = sign_flip(values, draws=200)

    assert found == sign_flip([-value for value in values], draws=200)
    assert found is not None and 0 < found <= 1


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ValidationError, match="leave out what is missing"):
        sign_flip([1.0, math.nan])
    with pytest.raises(ValidationError, match="leave out what is missing"):
        wilcoxon_signed_rank([1.0, math.nan])
    with pytest.raises(ValidationError, match="0 draws says nothing"):
        sign_flip([1.0], draws=0)
    with pytest.raises(ValidationError, match="cannot be counted"):
        mcnemar_exact(-1, 2)
