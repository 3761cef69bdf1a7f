"""Tests of sample sizes: textbook values, simulations, and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from aistrale_lab.analysis.power import (
    binary_detectable_difference,
    binary_pairs_needed,
    design_effect,
    detectable_difference,
    difference_spread,
    pairs_needed,
)
from aistrale_lab.errors import ValidationError


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_small_medium_and_large_effects_need_cohens_pairs(
    effect: float, pairs: int
) -> None:
    assert pairs_needed(effect, 1) == pairs


@pytest.mark.parametrize("effect", [0.05, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_pairs_are_those_of_the_noncentral_t(effect: float, power: float) -> None:
    found = pairs_needed(effect, 1, power=power)

    expected = TTestPower().solve_power(effect, alpha=0.05, power=power)
    assert found == pytest.approx(expected, abs=1.01)


def test_a_tenth_among_thirty_per_cent_that_differ_needs_234_pairs() -> None:
    # 1.95996 * sqrt(0.3) + 0.84162 * sqrt(0.3 - 0.01) = 1.52673; (1.52673 / 0.1)^2
    assert binary_pairs_needed(0.1, 0.3) == 234


def score_test_power(n: int, effect: float, discordance: float) -> float:
    shares = [(discordance + effect) / 2, (discordance - effect) / 2, 1 - discordance]
    wins, losses, _ = np.random.default_rng(0).multinomial(n, shares, 20_000).T
    return float(np.mean(np.abs(wins - losses) > 1.959964 * np.sqrt(wins + losses)))


@pytest.mark.parametrize(
    ("effect", "discordance"), [(0.1, 0.3), (0.05, 0.2), (0.2, 0.5), (-0.1, 0.25)]
)
def test_the_score_test_has_the_power_that_was_planned(
    effect: float, discordance: float
) -> None:
    n = binary_pairs_needed(effect, discordance)

    found = score_test_power(n, effect, discordance)

    assert found == pytest.approx(0.8, abs=0.025)


def test_where_most_pairs_that_differ_agree_the_plan_is_on_the_safe_side() -> None:
    n = binary_pairs_needed(0.1, 0.12)

    found = score_test_power(n, 0.1, 0.12)

    assert 0.8 <= found <= 0.95


@pytest.mark.parametrize(("effect", "spread"), [(0.1, 0.5), (0.3, 0.4)])
def test_the_t_test_has_the_power_that_was_planned(
    effect: float, spread: float
) -> None:
    rng = np.random.default_rng(1)
    n = pairs_needed(effect, spread, power=0.9)

    p_values = stats.ttest_1samp(
        rng.normal(effect, spread, (5_000, n)), 0, axis=1
    ).pvalue

    assert np.mean(p_values <= 0.05) == pytest.approx(0.9, abs=0.02)


def test_groups_need_their_design_effect_more() -> None:
    rng = np.random.default_rng(2)
    size, correlation = 5, 0.4
    design = design_effect(size, correlation)
    groups = pairs_needed(0.3, 1, design=design) // size

    shared = rng.normal(0.3, np.sqrt(correlation), (4_000, groups))
    own = rng.normal(0, np.sqrt((1 - correlation) / size), (4_000, groups))
    found = np.mean(stats.ttest_1samp(shared + own, 0, axis=1).pvalue <= 0.05)

    assert design == pytest.approx(2.6)
    assert found == pytest.approx(0.8, abs=0.03)


def test_epochs_average_out_what_varies_within_a_sample() -> None:
    assert difference_spread(0.04) == pytest.approx(0.2)
    assert difference_spread(0.04, 0.1, 0.2, epochs=10) == pytest.approx(0.07**0.5)


@given(
    st.floats(0.01, 2),
    st.floats(0.01, 5),
    st.floats(0.5, 0.99),
    st.floats(0.2, 10),
)
def test_the_detectable_difference_is_what_so_many_pairs_are_needed_for(
    effect: float, spread: float, power: float, design: float
) -> None:
    n = pairs_needed(effect, spread, power=power, design=design)

    found = detectable_difference(n, spread, power=power, design=design)

    assert found is None or n == 2 or found <= effect * (1 + 1e-9)
    if found is not None and n > 3:
        fewer = detectable_difference(n - 1, spread, power=power, design=design)
        assert fewer is None or fewer >= effect * (1 - 1e-9)


@given(
    st.floats(0.01, 0.9),
    st.floats(0.01, 1),
    st.floats(0.5, 0.99),
    st.floats(0.2, 10),
)
def test_the_detectable_binary_difference_is_too(
    effect: float, discordance: float, power: float, design: float
) -> None:
    discordance = max(discordance, effect)
    n = binary_pairs_needed(effect, discordance, power=power, design=design)

    found = binary_detectable_difference(n, discordance, power=power, design=design)
    fewer = binary_detectable_difference(n - 1, discordance, power=power, design=design)

    assert found is None or found <= effect * (1 + 1e-9)
    assert fewer is None or fewer >= effect * (1 - 1e-9)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_pairs_show_nothing(n: int) -> None:
    assert binary_detectable_difference(n, 0.3) is None
    assert detectable_difference(min(n, 1), 1.0) is None


def test_models_that_never_differ_show_nothing() -> None:
    assert binary_detectable_difference(100, 0.0) is None


def test_an_effect_beyond_the_discordance_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least that share"):
        binary_pairs_needed(0.3, 0.2)


@pytest.mark.parametrize(
    "options",
    [
        {"level": 1.0},
        {"power": 1.0},
        {"power": 0.4},
        {"design": 0.0},
        {"design": float("nan")},
    ],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        pairs_needed(0.1, 1, **options)
    with pytest.raises(ValidationError):
        binary_detectable_difference(100, 0.3, **options)


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf")])
def test_no_effect_needs_no_number_of_pairs(wrong: float) -> None:
    with pytest.raises(ValidationError):
        pairs_needed(wrong, 1)
    with pytest.raises(ValidationError):
        binary_pairs_needed(wrong, 0.5)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_what_is_no_spread_is_refused(wrong: float) -> None:
    with pytest.raises(ValidationError):
        pairs_needed(0.1, wrong)
    with pytest.raises(ValidationError):
        detectable_difference(10, wrong)
    with pytest.raises(ValidationError):
        binary_detectable_difference(10, wrong)
    with pytest.raises(ValidationError):
        design_effect(wrong, 0.1)
    with pytest.raises(ValidationError):
        difference_spread(-1.0 if wrong == float("inf") else wrong)


def test_groups_that_cannot_be_so_unlike_are_refused() -> None:
    with pytest.raises(ValidationError, match="cannot have"):
        design_effect(11, -0.1)


def test_a_negative_number_of_pairs_is_refused() -> None:
    with pytest.raises(ValidationError):
        detectable_difference(-1, 1.0)
