"""Greedy and drawn choices of tokens."""

import numpy as np
import pytest

from aistrale_lab.embedded.models import Sampling
from aistrale_lab.embedded.sampling import Chooser, Logprobs, log_softmax

PROBABILITIES = np.array([0.1, 0.5, 0.0, 0.3, 0.1])


@pytest.fixture
def logprobs() -> Logprobs:
    with np.errstate(divide="ignore"):
        return np.log(PROBABILITIES)


def drawn(logprobs: Logprobs, times: int, **sampling: float) -> list[float]:
    chooser = Chooser(Sampling(seed=7, **sampling))  # type: ignore[arg-type]
    chosen = [chooser.choose(logprobs) for _ in range(times)]
    return list(np.bincount(chosen, minlength=len(logprobs)) / times)


def test_without_a_temperature_the_likeliest_token_is_chosen(
    logprobs: Logprobs,
) -> None:
    assert drawn(logprobs, 50) == [0, 1, 0, 0, 0]


def test_draws_follow_the_probabilities(logprobs: Logprobs) -> None:
    found = drawn(logprobs, 20_000, temperature=1.0)

    assert found == pytest.approx(PROBABILITIES, abs=0.015)
    assert found[2] == 0


def test_a_low_temperature_sharpens_the_probabilities(logprobs: Logprobs) -> None:
    found = drawn(logprobs, 20_000, temperature=0.5)

    squares = PROBABILITIES**2
    assert found == pytest.approx(squares / squares.sum(), abs=0.015)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, 1), (0.5, 1), (0.51, 2), (0.79, 2), (0.85, 3), (1.0, 4)]
)
def test_the_nucleus_is_the_fewest_tokens_that_are_likely_enough(
    logprobs: Logprobs, top_p: float, kept: int
) -> None:
    found = drawn(logprobs, 3_000, temperature=1.0, top_p=top_p)

    assert np.count_nonzero(found) == kept


def test_a_seed_repeats_its_choices_and_each_choice_has_its_own(
    logprobs: Logprobs,
) -> None:
    def run(seed: int, choice: int) -> list[int]:
        chooser = Chooser(Sampling(temperature=1.0, seed=seed, choice=choice))
        return [chooser.choose(logprobs) for _ in range(30)]

    assert run(-3, 0) == run(-3, 0)
    assert run(-3, 0) != run(-3, 1)
    assert run(4, 0) != run(5, 0)


def test_the_probabilities_of_a_row_add_up_to_one() -> None:
    found = log_softmax(np.array([1e4, 1e4 - 1, -np.inf], np.float32))

    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)
    assert found[0] - found[1] == pytest.approx(1.0)
