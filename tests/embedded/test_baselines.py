"""The baselines: what each says, and in which pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aistrale_lab.embedded.baselines import BASELINES, tokens
from aistrale_lab.embedded.models import Sampling, Turn
from aistrale_lab.embedded.nearest import nearest

SHOTS: list[Turn] = [
    ("user", "Which animal barks?"),
    ("assistant", "dog"),
    ("user", "Which animal meows?"),
    ("assistant", "cat"),
    ("user", "Which pet meows at night?"),
    ("assistant", "cat"),
]


async def said(model: str, *turns: Turn) -> str:
    answer = BASELINES[model].answer(turns, Sampling())
    return "".join([token.text async for token in answer])


@pytest.mark.parametrize(
    ("model", "turns", "answer"),
    [
        ("echo", [("user", "a"), ("assistant", "b"), ("user", " c d\n")], " c d\n"),
        ("echo", [("system", "s")], ""),
        ("constant", [("system", "yes"), ("user", "?")], "yes"),
        ("constant", [("user", "?")], "0"),
        ("majority", [*SHOTS, ("user", "?")], "cat"),
        ("majority", [*SHOTS[:4], ("user", "?")], "dog"),
        ("majority", [("user", "?")], "0"),
        ("nearest", [*SHOTS, ("user", "What animal barks loudly?")], "dog"),
        ("nearest", [*SHOTS, ("user", "zzz")], "dog"),
        ("nearest", [("system", "no"), ("user", "?")], "no"),
        ("calculator", [("user", "6 * 7")], "42"),
        ("calculator", [("user", "hello")], "I find no arithmetic to do."),
    ],
)
async def test_a_baseline_says_what_it_is_for(
    model: str, turns: list[Turn], answer: str
) -> None:
    assert await said(model, *turns) == answer


def test_the_nearest_text_shares_the_rarest_words() -> None:
    texts = ["the cat sat", "the dog sat", "the the the the"]

    assert nearest("where is the dog", texts) == 1
    assert nearest("", texts) == 0
    assert nearest("dog", ["", ""]) == 0


@given(some.text())
def test_the_tokens_of_a_text_make_up_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
