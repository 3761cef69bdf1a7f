"""One answer of a model: its tokens, cut at stop sequences and at the limit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Generation:
    """An answer in the making; `finish_reason` and `tokens` are known at its end."""

    pieces: Iterator[str]
    limit: int
    stops: Sequence[str] = ()
    finish_reason: str = "stop"
    tokens: int = 0
    _held: str = field(default="", init=False)

    def texts(self) -> Iterator[str]:
        """The answer, token by token, without the stop sequence that ended it."""
        for piece in self.pieces:
            if self.tokens == self.limit:
                self.finish_reason = "length"
                break
            self.tokens += 1
            self._held += piece
            cut = self._stop_place()
            if cut is not None:
                if self._held[:cut]:
                    yield self._held[:cut]
                return
            ready = self._ready()
            if ready:
                yield ready
        if self._held:
            yield self._held

    def whole(self) -> str:
        """The whole answer."""
        return "".join(self.texts())

    def _stop_place(self) -> int | None:
        places = [self._held.find(stop) for stop in self.stops]
        return min((place for place in places if place >= 0), default=None)

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
