"""Models by name: anything that turns a conversation into pieces of text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aistrale_lab.embedded.calculator import calculate
from aistrale_lab.embedded.nearest import nearest

Turn = tuple[str, str]
"""Role and text."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to choose its words; baselines have no choice to make."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


class Model(Protocol):
    """A model in the box: pieces of its answer, one by one."""

    def answer(self, turns: Sequence[Turn], sampling: Sampling) -> Iterator[str]:
        """The answer, token by token."""


class Baseline:
    """A model whose whole answer is known at once; it is given word by word."""

    def __init__(self, whole: "WholeAnswer") -> None:
        self._whole = whole

    def answer(self, turns: Sequence[Turn], sampling: Sampling) -> Iterator[str]:
        """The words of the answer, each with the space before it."""
        return tokens(self._whole(turns))


class WholeAnswer(Protocol):
    """Makes an answer of a conversation, all at once."""

    def __call__(self, turns: Sequence[Turn]) -> str:
        """The answer's text."""


def tokens(text: str) -> Iterator[str]:
    """Words with the white space before them: the server's unit of counting."""
    start = 0
    inside = False
    for place, letter in enumerate(text):
        if letter.isspace() and inside:
            yield text[start:place]
            start = place
        inside = not letter.isspace()
    if start < len(text):
        yield text[start:]


def count_tokens(turns: Sequence[Turn]) -> int:
    """Words of all turns; a baseline has no other vocabulary."""
    return sum(1 for _, text in turns for _ in tokens(text))


def echo(turns: Sequence[Turn]) -> str:
    """The last user turn, word for word."""
    return question(turns)


def constant(turns: Sequence[Turn]) -> str:
    """The system text if there is one, else `0`: what guessing blindly is worth."""
    return next((text for role, text in turns if role == "system"), "0")


def majority(turns: Sequence[Turn]) -> str:
    """The most frequent answer of the examples given; the first seen wins a tie.

    Without examples, the same as `constant`.
    """
    given = [answer for _, answer in examples(turns)]
    return Counter(given).most_common(1)[0][0] if given else constant(turns)


def nearest_answer(turns: Sequence[Turn]) -> str:
    """The answer of the example whose question is nearest by BM25.

    Without examples, the same as `constant`.
    """
    given = examples(turns)
    if not given:
        return constant(turns)
    asked = [said for said, _ in given]
    return given[nearest(question(turns), asked)][1]


def calculator(turns: Sequence[Turn]) -> str:
    """The value of the arithmetic expression in the last user turn."""
    found = calculate(question(turns))
    return "I find no arithmetic to do." if found is None else found


def question(turns: Sequence[Turn]) -> str:
    """The last user turn's text."""
    return next((text for role, text in reversed(turns) if role == "user"), "")


def examples(turns: Sequence[Turn]) -> list[Turn]:
    """The (question, answer) pairs that stand before the last user turn."""
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
