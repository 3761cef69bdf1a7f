"""BM25 against the formula worked out by hand."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aistrale_lab.embedded.nearest import B, K1, bm25, nearest

TEXTS = ["red apple", "green apple tree apple", "blue sky"]


def test_scores_are_those_of_the_formula() -> None:
    apple = log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    average = (2 + 4 + 2) / 3
    once = (K1 + 1) / (1 + K1 * (1 - B + B * 2 / average))
    twice = 2 * (K1 + 1) / (2 + K1 * (1 - B + B * 4 / average))

    assert bm25("Apple?", TEXTS) == pytest.approx([apple * once, apple * twice, 0])


@pytest.mark.parametrize(
    ("question", "place"),
    [("a red thing", 0), ("trees or a tree", 1), ("SKY", 2), ("nothing", 0)],
)
def test_the_nearest_text_is_found(question: str, place: int) -> None:
    assert nearest(question, TEXTS) == place


@given(some.lists(some.text("ab ", max_size=8), min_size=1, max_size=8), some.data())
def test_a_text_is_not_further_from_itself_than_a_stranger(
    texts: list[str], data: some.DataObject
) -> None:
    scores = bm25(data.draw(some.sampled_from(texts)), [*texts, "stranger"])

    assert min(scores) >= 0
    assert scores[-1] == 0
