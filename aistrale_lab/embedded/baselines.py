"""Baselines: answers by a rule, against which a model that has learnt is measured."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

from aistrale_lab.embedded.calculator import calculate
from aistrale_lab.embedded.models import Model, Sampling, Token, Turn
from aistrale_lab.embedded.nearest import nearest

WholeAnswer = Callable[[Sequence[Turn]], str]
"""Makes the answer to a conversation, all at once."""

_TOKEN = re.compile(r"\s*\S+|\s+")


class Baseline:
    """A model whose whole answer is known at once; a token of it is a word."""

    context: int | None = None

    def __init__(self, whole: WholeAnswer) -> None:
        self._whole = whole

    async def answer(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Token, None]:
        """The words of the answer, each with the white space before it."""
        for place, word in enumerate(tokens(self._whole(turns)), 1):
            yield Token(word, word.encode("utf-8", "surrogatepass"), number=place)

    def prompt_tokens(self, turns: Sequence[Turn]) -> int:
        """Words of all turns; white space at the end of one is one more."""
        return sum(1 for _, text in turns for _ in tokens(text))


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


BASELINES: Mapping[str, Model] = {
    "calculator": Baseline(calculator),
    "constant": Baseline(constant),
    "echo": Baseline(echo),
    "majority": Baseline(majority),
    "nearest": Baseline(nearest_answer),
}
"""Every baseline by its name."""
