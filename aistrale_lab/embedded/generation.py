"""One answer of a model: its tokens, cut at stop sequences and at the limit."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

SLICE = 0.002
"""Seconds of computing after which other requests get a turn."""


@dataclass(slots=True)
class Generation:
    """An answer in the making; `finish_reason` and `tokens` are known at its end.

    `tokens` counts what the model made, whether or not it was shown.
    """

    pieces: Iterator[str]
    limit: int
    stops: Sequence[str] = ()
    finish_reason: Literal["stop", "length"] = "stop"
    stopped_by: str | None = None
    tokens: int = 0
    _held: str = field(default="", init=False)

    async def live(self) -> AsyncIterator[str]:
        """The answer as it is made, without starving other answers."""
        since = perf_counter()
        for text in self.texts():
            yield text
            if perf_counter() - since > SLICE:
                await asyncio.sleep(0)
                since = perf_counter()

    def whole(self) -> str:
        """The whole answer, in one go."""
        return "".join(self.texts())

    def texts(self) -> Iterator[str]:
        """The answer, token by token, without the stop sequence that ended it."""
        for piece in self.pieces:
            if self.tokens == self.limit:
                self.finish_reason = "length"
                break
            self.tokens += 1
            self._held += piece
            if self._cut_at_stop():
                break
            ready = self._ready()
            if ready:
                yield ready
        if self._held:
            yield self._held

    def _cut_at_stop(self) -> bool:
        """Whether a stop sequence is complete; what is held then ends before it."""
        places = [(self._held.find(stop), stop) for stop in self.stops]
        found = min((place for place in places if place[0] >= 0), default=None)
        if found is None:
            return False
        place, self.stopped_by = found
        self._held = self._held[:place]
        return True

    def _ready(self) -> str:
        """What cannot be the beginning of a stop sequence any more."""
        hold = 0
        for stop in self.stops:
            for length in range(min(len(stop) - 1, len(self._held)), hold, -1):
                if self._held.endswith(stop[:length]):
                    hold = length
                    break
        cut = len(self._held) - hold
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready
