"""Tests of the confidence sequence: its bounds, its decision, its certainty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.analysis.sequences import ConfidenceSequence, Wealth
from aistrale_lab.errors import ValidationError

DIFFERENCES = st.lists(st.floats(-1, 1), max_size=40)


def paired(seed: int, n: int, wins: float, losses: float) -> np.ndarray:
    chances = [losses, 1 - wins - losses, wins]
    return np.random.default_rng(seed).choice([-1.0, 0.0, 1.0], size=n, p=chances)


def test_before_any_difference_every_mean_is_possible() -> None:
    sequence = ConfidenceSequence()

    assert (sequence.low, sequence.high, sequence.n) == (-1, 1, 0)
    assert not sequence.decided


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_clear_difference_is_decided_with_its_sign(sign: int) -> None:
    sequence = ConfidenceSequence()

    sequence.add(sign * paired(0, 300, wins=0.3, losses=0.05))

    assert sequence.decided
    assert min(sign * sequence.low, sign * sequence.high) > 0


@given(DIFFERENCES)
@settings(max_examples=40, deadline=None)
def test_bounds_only_come_nearer_and_a_decision_stands(values: list[float]) -> None:
    sequence = ConfidenceSequence()

    seen = []
    for value in values:
        sequence.add([value])
        seen.append((sequence.low, sequence.high, sequence.decided))

    assert seen == sorted(seen, key=lambda step: (step[0], -step[1]))
    assert [step[2] for step in seen] == sorted(step[2] for step in seen)
    assert all(-1 <= low <= high <= 1 for low, high, _ in seen)
    assert sequence.n == len(values)


@given(DIFFERENCES, st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_it_is_the_same_however_the_differences_are_handed_over(
    values: list[float], cut: int
) -> None:
    together, apart = ConfidenceSequence(), ConfidenceSequence()

    together.add(values)
    apart.add(values[:cut])
    apart.add(values[cut:])

    assert (together.low, together.high) == (apart.low, apart.high)


@given(DIFFERENCES)
@settings(max_examples=30, deadline=None)
def test_the_other_way_round_gives_the_mirror_image(values: list[float]) -> None:
    forth, back = ConfidenceSequence(), ConfidenceSequence()

    forth.add(values)
    back.add([-value for value in values])

    assert forth.low == pytest.approx(-back.high, abs=0.0051)
    assert forth.high == pytest.approx(-back.low, abs=0.0051)


def test_ties_alone_decide_nothing_but_narrow_the_interval() -> None:
    sequence = ConfidenceSequence()

    sequence.add([0.0] * 500)

    assert not sequence.decided
    assert -0.06 < sequence.low <= 0 <= sequence.high < 0.06


@pytest.mark.parametrize("effect", [0.0, 0.15])
def test_the_true_mean_stays_inside_at_every_look(effect: float) -> None:
    missed = 0
    for seed in range(60):
        sequence = ConfidenceSequence()
        sequence.add(paired(seed, 150, wins=0.15 + effect, losses=0.15))
        # The interval only ever shrinks: what it holds at the end, it always held.
        missed += not sequence.low <= effect <= sequence.high

    assert missed <= 8  # 1 in 20 of 60; more than 8 have a probability under 1 %


def test_it_decides_when_the_bets_against_zero_are_won() -> None:
    streams = np.array([paired(seed, 200, 0.25, 0.1) for seed in range(12)])
    wealth, decided = Wealth(np.zeros(12), 0.95, 0.1), []

    for step in streams.T:
        wealth.add(step)
    for stream in streams:
        sequence = ConfidenceSequence()
        sequence.add(stream)
        decided.append(sequence.decided)

    assert decided == wealth.won.tolist()
    assert 0 < sum(decided) < 12


@pytest.mark.parametrize("values", [[-1.0, 1.0], [-0.2, 0.0, 0.8]])
@pytest.mark.parametrize("seed", range(10))
def test_no_bet_gains_on_average_against_the_true_mean(
    values: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    past = rng.choice(values, size=rng.integers(1, 60))
    wealth = np.array([])
    for following in values:
        players = Wealth(np.array([np.mean(values)]), 0.95, 0.1)
        for value in past:
            players.add(float(value))
        before = float(players.log_left[0])
        players.add(following)
        wealth = np.append(wealth, np.exp(before - players.log_left[0]))

    assert wealth.mean() == pytest.approx(1, abs=1e-12)


@given(DIFFERENCES, st.floats(-1, 1))
@settings(max_examples=60, deadline=None)
def test_wealth_never_exceeds_its_goal(values: list[float], candidate: float) -> None:
    players = Wealth(np.array([candidate]), 0.95, 0.1)

    for value in values:
        players.add(value)

    assert players.log_left[0] >= -1e-9


def test_a_long_hopeless_comparison_is_futile_at_its_end() -> None:
    sequence = ConfidenceSequence()

    sequence.add([1.0, -1.0] * 400)

    assert sequence.futile(0)
    assert sequence.futile(2)
    assert not sequence.futile(1_000)


@given(DIFFERENCES, st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_what_is_futile_cannot_be_decided_by_the_best_luck(
    values: list[float], remaining: int
) -> None:
    lucky, unlucky = ConfidenceSequence(), ConfidenceSequence()
    lucky.add(values)
    unlucky.add(values)
    futile = lucky.futile(remaining)

    lucky.add([1.0] * remaining)
    unlucky.add([-1.0] * remaining)

    assert not futile or not (lucky.decided or unlucky.decided)


def test_a_margin_that_the_rest_cannot_leave_is_futile() -> None:
    sequence = ConfidenceSequence()

    sequence.add([1.0, -1.0] * 48 + [0.0] * 4)

    assert not sequence.futile(12, margin=0.1)
    assert sequence.futile(11, margin=0.1)


def test_what_is_decided_is_not_futile() -> None:
    sequence = ConfidenceSequence()

    sequence.add([1.0] * 60)

    assert sequence.decided
    assert not sequence.futile(0)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1.001, -2.0])
def test_what_is_no_difference_is_refused_and_nothing_is_taken(wrong: float) -> None:
    sequence = ConfidenceSequence()

    with pytest.raises(ValidationError):
        sequence.add([0.5, wrong])

    assert sequence.n == 0
    assert (sequence.low, sequence.high) == (-1, 1)


@pytest.mark.parametrize("options", [{"level": 1.0}, {"effect": 0.0}, {"effect": 1.1}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ConfidenceSequence(**options)


@pytest.mark.parametrize(("remaining", "margin"), [(-1, 0.0), (5, -0.1), (5, 2.0)])
def test_impossible_futility_is_refused(remaining: int, margin: float) -> None:
    with pytest.raises(ValidationError):
        ConfidenceSequence().futile(remaining, margin)
