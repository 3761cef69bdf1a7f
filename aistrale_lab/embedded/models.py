"""What a model in the box is: something that answers a conversation token by token."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

Turn = tuple[str, str]
"""Role and text."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to choose its tokens; baselines have no choice to make.

    A temperature of 0 is the greedy choice. `choice` tells several answers to one
    request apart: with a seed, each of them is drawn in its own way again and again.
    `alternatives` is how many other tokens are to be named beside each.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    choice: int = 0
    alternatives: int = 0


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have been, and the natural logarithm of its probability."""

    written: bytes
    number: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Token:
    """One step of an answer.

    `text` is what it adds to the answer: nothing while a character lacks bytes. The
    likeliest alternatives come first, the token itself among them.
    """

    text: str
    written: bytes
    number: int = 0
    logprob: float = 0.0
    alternatives: tuple[Alternative, ...] = ()


class Model(Protocol):
    """A model in the box. The server cuts its answer at limits and stop sequences."""

    @property
    def context(self) -> int | None:
        """The most tokens of a conversation and its answer; None: any number."""

    def answer(
        self, turns: Sequence[Turn], sampling: Sampling
    ) -> AsyncGenerator[Token, None]:
        """The answer, token by token, drawn no further than is needed.

        It is made on the server's event loop: a token should take milliseconds at most.
        """

    def prompt_tokens(self, turns: Sequence[Turn]) -> int:
        """How many tokens a conversation has."""
