"""Tests of Bradley-Terry ratings, against a logistic regression and at their edges."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.analysis.ratings import (
    SCALE,
    bradley_terry,
    ratings,
    wins_matrix,
)
from aistrale_lab.errors import ValidationError

Verdicts = tuple[np.ndarray, np.ndarray, np.ndarray]


def verdicts(seed: int, models: int, n: int) -> Verdicts:
    rng = np.random.default_rng(seed)
    strengths = rng.normal(0, 1, models)
    first = rng.integers(0, models, n)
    second = (first + rng.integers(1, models, n)) % models
    chance = 1 / (1 + np.exp(strengths[second] - strengths[first]))
    outcome = (rng.random(n) < chance).astype(float)
    outcome[rng.random(n) < 0.15] = 0.5
    return first, second, outcome


@pytest.mark.parametrize("seed", range(20))
def test_ratings_are_those_of_a_logistic_regression(seed: int) -> None:
    models = 3 + seed % 6
    first, second, outcome = verdicts(seed, models, 400)

    found = bradley_terry(wins_matrix(first, second, outcome, models))

    design = np.zeros((400, models))
    design[np.arange(400), first] = 1
    design[np.arange(400), second] = -1
    fit = sm.GLM(outcome, design[:, 1:], sm.families.Binomial()).fit(
        tol=1e-14, tol_criterion="params"
    )
    logits = np.concatenate([[0], fit.params])
    expected = 1000 + SCALE * (logits - logits.mean())
    assert found == pytest.approx(expected.tolist(), abs=1e-6)


def test_ten_to_one_are_four_hundred_points() -> None:
    assert bradley_terry([[0, 10], [1, 0]]) == pytest.approx([1200, 800])


def test_extreme_odds_are_found_too() -> None:
    better, worse = bradley_terry([[0, 1e9], [1, 0]])

    assert better is not None and worse is not None
    assert better - worse == pytest.approx(3_600, abs=1e-6)


def test_a_tie_is_half_a_win_for_each() -> None:
    wins = wins_matrix([0, 0, 1], [1, 1, 0], [1, 0.5, 0.5], 2)

    assert wins.tolist() == [[0, 2], [1, 0]]


def test_who_never_lost_stands_above_and_the_others_are_rated_among_themselves() -> (
    None
):
    wins = np.array([[0, 5, 5, 0], [0, 0, 3, 1], [0, 1, 0, 1], [0, 0, 0, 0]])

    found = bradley_terry(wins)

    among = bradley_terry([[0, 3], [1, 0]])
    assert found == [None, *among, None]


def test_places_of_the_unrated_are_named() -> None:
    first, second = [0, 1, 2, 1, 2, 4], [1, 2, 1, 3, 3, 5]
    found = ratings(first, second, [1, 1, 1, 1, 1, 0.5], 7, draws=20)

    places = ["above", "rated", "rated", "below", "apart", "apart", "apart"]
    assert [rating.place for rating in found] == places
    assert [rating.n for rating in found] == [1, 4, 3, 2, 1, 1, 0]


def test_where_everybody_only_wins_or_loses_nobody_is_rated() -> None:
    found = ratings([0, 0, 1], [1, 2, 2], [1, 1, 1], 3)

    assert [rating.place for rating in found] == ["above", "apart", "below"]
    assert [rating.rating for rating in found] == [None] * 3


def test_intervals_hold_the_rating_and_narrow_with_more_verdicts() -> None:
    few = ratings(*verdicts(2, 4, 300), 4, draws=300)
    many = ratings(*verdicts(2, 4, 30_000), 4, draws=300)

    for one, other in zip(few, many, strict=True):
        assert one.low is not None and one.high is not None and one.rating is not None
        assert other.low is not None and other.high is not None
        assert one.low < one.rating < one.high
        assert 5 < (one.high - one.low) / (other.high - other.low) < 20


def test_the_spread_of_the_bootstrap_is_that_of_the_likelihood() -> None:
    first, second, outcome = verdicts(3, 2, 2_000)
    outcome = np.where(outcome == 0.5, 1, outcome)

    better, _ = ratings(first, second, outcome, 2, draws=4_000)

    share = np.mean(np.where(first == 0, outcome, 1 - outcome))
    # Each of the two carries half the difference, whose variance is known.
    error = SCALE / 2 / np.sqrt(2_000 * share * (1 - share))
    assert better.low is not None and better.high is not None
    assert better.high - better.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_an_interval_without_end_has_no_bound() -> None:
    better, worse = ratings([0] * 9, [1] * 9, [1] * 8 + [0], 2)

    assert better.rating is not None and worse.rating is not None
    assert better.high is None and worse.low is None
    assert better.low is not None and worse.high is not None


def test_copies_of_verdicts_in_groups_are_no_further_evidence() -> None:
    first, second, outcome = verdicts(4, 3, 200)
    copies = [np.repeat(column, 5) for column in (first, second, outcome)]

    once = ratings(first, second, outcome, 3, draws=2_000)
    grouped = ratings(*copies, 3, np.repeat(np.arange(200), 5), draws=2_000)
    blind = ratings(*copies, 3, draws=2_000)

    for one, other, naive in zip(once, grouped, blind, strict=True):
        assert one.low is not None and other.low is not None and naive.low is not None
        assert one.rating == pytest.approx(other.rating)
        assert other.low == pytest.approx(one.low, abs=8)
        assert naive.low > one.low + 10


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0])
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_verdicts_give_a_rating_or_a_place(
    listed: list[tuple[int, int, float]],
) -> None:
    first = [one for one, _, _ in listed]
    second = [(one + step) % 4 for one, step, _ in listed]
    outcome = [won for _, _, won in listed]

    found = ratings(first, second, outcome, 4, draws=20)

    rated = [rating.rating for rating in found if rating.rating is not None]
    assert not rated or np.mean(rated) == pytest.approx(1000)
    assert len(rated) != 1
    for rating in found:
        assert (rating.rating is None) == (rating.place != "rated")
        if rating.rating is not None and rating.low is not None:
            assert rating.low <= rating.rating + 1_000


@given(st.integers(2, 5), st.integers(1, 50))
def test_all_ties_make_all_equal(models: int, count: int) -> None:
    wins = np.full((models, models), count / 2)
    np.fill_diagonal(wins, 0)

    assert bradley_terry(wins) == pytest.approx([1000] * models)


@pytest.mark.parametrize("models", [0, 1, 3])
def test_without_verdicts_nobody_is_rated(models: int) -> None:
    found = ratings([], [], [], models)

    assert [rating.place for rating in found] == ["apart"] * models


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ([0], [0], [1]),
        ([0], [2], [1]),
        ([-1], [0], [1]),
        ([0.5], [1], [1]),
        ([0], [1], [0.7]),
        ([0], [1], [float("nan")]),
        ([0, 1], [1], [1]),
    ],
)
def test_what_is_no_verdict_is_refused(
    first: list[int], second: list[int], outcome: list[float]
) -> None:
    with pytest.raises(ValidationError):
        ratings(first, second, outcome, 2)


@pytest.mark.parametrize(
    "wrong",
    [[[0, float("nan")], [1, 0]], [[0, -1], [1, 0]], [[1, 1], [1, 0]], [[0, 1]]],
)
def test_what_is_no_table_of_wins_is_refused(wrong: list[list[float]]) -> None:
    with pytest.raises(ValidationError):
        bradley_terry(wrong)


def test_a_bootstrap_without_draws_is_refused() -> None:
    with pytest.raises(ValidationError):
        ratings([0], [1], [1], 2, draws=0)
