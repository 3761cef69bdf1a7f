"""Models by name: anything that turns a conversation into pieces of text."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aistrale_lab.embedded.calculator import calculate
from aistrale_lab.embedded.nearest import nearest

Turn = tuple[str, str]
"""Role and text."""

WholeAnswer = Callable[[Sequence[Turn]], str]
"""Makes the answer to a conversation, all at once."""

_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to choose its words; baselines have no choice to make.

    A temperature of 0 is the greedy choice.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


class Model(Protocol):
    """A model in the box. The server cuts its answer at limits and stop sequences."""

    def answer(self, turns: Sequence[Turn], sampling: Sampling) -> Iterator[str]:
        """The answer's text, token by token; a piece may be empty.

        It is drawn from on the server's event loop, and no further than is needed:
        a piece should take milliseconds at most.
        """

    def count(self, text: str) -> int:
        """How many tokens of this model a text has."""


class Baseline:
    """A model whose whole answer is known at once; a token of it is a word."""

    def __init__(self, whole: WholeAnswer) -> None:
        self._whole = whole

    def answer(self, turns: Sequence[Turn], sampling: Sampling) -> Iterator[str]:
        """The words of the answer, each with the white space before it."""
        return tokens(self._whole(turns))

    def count(self, text: str) -> int:
        """Words; white space at the end is one more, as in an answer."""
        return sum(1 for _ in tokens(text))


def tokens(text: str) -> Iterator[str]:
    """Words with the white space before them; put together they are the text."""
    return (found.group() for found in _TOKEN.finditer(text))


def echo(turns: Sequence[Turn]) -> str:
    """The last user turn, word for word."""
    return question(turns)


def constant(turns: Sequence[Turn]) -> str:
    """The system text if there is one, else `0`: what guessing blindly is worth."""
    spoken = (text for role, text in turns if role in ("system", "developer"))
    return next(spoken, "0")


def majority(turns: Sequence[Turn]) -> str:
    """The most frequent answer of the examples given; the first seen wins a tie.

    Without examples, the same as `constant`.
    """
    given = Counter(answer for _, answer in examples(turns))
    return given.most_common(1)[0][0] if given else constant(turns)


def nearest_answer(turns: Sequence[Turn]) -> str:
    """The answer of the example whose question is nearest by BM25.

    Without examples, the same as `constant`.
    """
    given = examples(turns)
    if not given:
        return constant(turns)
    return given[nearest(question(turns), [asked for asked, _ in given])][1]


def calculator(turns: Sequence[Turn]) -> str:
    """The value of the arithmetic expression in the last user turn."""
    found = calculate(question(turns))
    return "I find no arithmetic to do." if found is None else found


def question(turns: Sequence[Turn]) -> str:
    """The last user turn's text."""
    return next((text for role, text in reversed(turns) if role == "user"), "")


def examples(turns: Sequence[Turn]) -> list[Turn]:
    """The (question, answer) pairs of user turns that an assistant turn follows."""
    pairs = zip(turns, turns[1:], strict=False)
    return [
        (asked, answered)
        for (role, asked), (next_role, answered) in pairs
        if role == "user" and next_role == "assistant"
    ]


MODELS: Mapping[str, Model] = {
    "calculator": Baseline(calculator),
    "constant": Baseline(constant),
    "echo": Baseline(echo),
    "majority": Baseline(majority),
    "nearest": Baseline(nearest_answer),
}
"""Every model in the box."""
