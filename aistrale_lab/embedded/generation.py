"""One answer of a model: its tokens, cut at stop sequences and at the limit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

from aistrale_lab.embedded.models import Token

SLICE = 0.002
"""Seconds of computing after which other requests get a turn."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text that can be shown, and the tokens that begin in it."""

    text: str
    tokens: Sequence[Token]


@dataclass(slots=True)
class Generation:
    """An answer in the making; `finish_reason` and `made` are known at its end.

    `made` counts the tokens that the model made, whether or not they were shown.
    """

    tokens: AsyncGenerator[Token, None]
    limit: int
    stops: Sequence[str] = ()
    finish_reason: Literal["stop", "length"] = "stop"
    stopped_by: str | None = None
    made: int = 0
    _held: str = field(default="", init=False)
    _unseen: list[tuple[int, Token]] = field(default_factory=list, init=False)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The answer as it is made, without starving other answers.

        What ends it, be it a stop sequence, is no part of it.
        """
        since = perf_counter()
        async with aclosing(self.tokens) as tokens:
            async for token in tokens:
                if self.made == self.limit:
                    self.finish_reason = "length"
                    break
                if self._take(token):
                    break
                if ready := self._shown(self._ready()):
                    yield ready
                if perf_counter() - since > SLICE:
                    await asyncio.sleep(0)
                    since = perf_counter()
        if rest := self._shown(len(self._held)):
            yield rest

    async def whole(self) -> Piece:
        """The whole answer."""
        pieces = [piece async for piece in self.pieces()]
        return Piece(
            "".join(piece.text for piece in pieces),
            [token for piece in pieces for token in piece.tokens],
        )

    def _take(self, token: Token) -> bool:
        """Add a token; whether a stop sequence is complete, before which all ends."""
        self.made += 1
        self._unseen.append((len(self._held), token))
        self._held += token.text
        places = [(self._held.find(stop), stop) for stop in self.stops]
        found = min((place for place in places if place[0] >= 0), default=None)
        if found is None:
            return False
        place, self.stopped_by = found
        self._held = self._held[:place]
        self._unseen = [(start, one) for start, one in self._unseen if start < place]
        return True

    def _ready(self) -> int:
        """How much cannot be the beginning of a stop sequence any more."""
        hold = 0
        for stop in self.stops:
            for length in range(min(len(stop) - 1, len(self._held)), hold, -1):
                if self._held.endswith(stop[:length]):
                    hold = length
                    break
        return len(self._held) - hold

    def _shown(self, length: int) -> Piece | None:
        """So much of what is held, with the tokens that begin in it."""
        if not length:
            return None
        text, self._held = self._held[:length], self._held[length:]
        tokens = [token for start, token in self._unseen if start < length]
        self._unseen = [
            (start - length, token) for start, token in self._unseen if start >= length
        ]
        return Piece(text, tokens)
