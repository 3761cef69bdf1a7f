"""Tests of the Pareto front and of how sure it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.analysis.pareto import front
from aistrale_lab.errors import ValidationError


def test_who_is_worse_and_dearer_is_not_on_the_front() -> None:
    rng = np.random.default_rng(0)
    quality = rng.normal([0.9, 0.5, 0.4], 0.1, size=(200, 3))
    cost = rng.normal([3.0, 1.0, 2.0], 0.1, size=(200, 3))

    places = front(quality, [cost])

    assert [place.on_front for place in places] == [True, True, False]
    assert [place.probability for place in places] == [1, 1, 0]
    assert places[2].quality == pytest.approx(quality[:, 2].mean())
    assert places[2].costs == pytest.approx((cost[:, 2].mean(),))


def test_a_second_cost_can_bring_a_model_onto_the_front() -> None:
    quality, dollars = np.array([[0.9, 0.8]] * 5), np.array([[1.0, 2.0]] * 5)
    seconds = np.array([[4.0, 0.5]] * 5)

    assert not front(quality, [dollars])[1].on_front
    assert front(quality, [dollars, seconds])[1].on_front


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_the_front_is_that_of_the_definition(
    n: int, models: int, goals: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    quality = rng.integers(0, 2, (n, models)).astype(float)
    costs = [rng.integers(0, 3, (n, models)).astype(float) for _ in range(goals)]

    places = front(quality, costs, draws=20)

    sums = np.array([quality.sum(axis=0), *(-cost.sum(axis=0) for cost in costs)])
    for model, place in enumerate(places):
        beaten = any(
            (sums[:, other] >= sums[:, model]).all()
            and (sums[:, other] > sums[:, model]).any()
            for other in range(models)
        )
        assert place.on_front == (not beaten)
        assert 0 <= place.probability <= 1


def test_equal_models_are_all_on_the_front() -> None:
    rng = np.random.default_rng(1)
    quality, cost = (np.repeat(rng.random((50, 1)), 4, axis=1) for _ in range(2))

    assert [place.probability for place in front(quality, [cost])] == [1] * 4


def test_a_toss_up_has_the_probability_of_one() -> None:
    quality = np.zeros((400, 2))
    quality[::2, 0] = quality[1::2, 1] = 1
    cost = np.tile([1.0, 2.0], (400, 1))

    cheap, dear = front(quality, [cost], draws=4_000)

    # The dear one must be better, which happens in nearly half of the draws.
    assert cheap.probability == 1
    assert dear.probability == pytest.approx(0.48, abs=0.03)


def test_what_samples_share_does_not_blur_the_front() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 10, size=(100, 1))
    quality = shared + rng.normal([0.0, 0.5], 0.1, size=(100, 2))

    places = front(quality, [np.ones((100, 2))])

    assert [place.probability for place in places] == [0, 1]


def test_groups_are_drawn_whole() -> None:
    rng = np.random.default_rng(3)
    quality = rng.normal([0.0, 0.25], 1, size=(20, 2))
    costs = [np.tile([1.0, 2.0], (20, 1))]
    copied = np.repeat(quality, 50, axis=0), [np.repeat(costs[0], 50, axis=0)]

    alone = front(quality, costs)[1].probability
    grouped = front(*copied, np.repeat(np.arange(20), 50))[1].probability
    blind = front(*copied)[1].probability

    assert grouped == pytest.approx(alone, abs=0.04)
    assert abs(blind - 0.5) > abs(alone - 0.5)


def test_no_samples_have_no_front() -> None:
    assert front(np.empty((0, 3)), [np.empty((0, 3))]) == []


def test_one_sample_is_its_own_front() -> None:
    places = front([[1.0, 0.0]], [[[1.0, 2.0]]])

    assert [place.probability for place in places] == [1, 0]


@pytest.mark.parametrize(
    "costs",
    [[], [np.ones((2, 3))], [np.full((3, 2), np.nan)], [np.ones((3, 2)), np.ones(3)]],
)
def test_costs_that_do_not_fit_are_refused(costs: list[np.ndarray]) -> None:
    with pytest.raises(ValidationError):
        front(np.ones((3, 2)), costs)
