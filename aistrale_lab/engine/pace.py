"""When the next call to one (endpoint, key, model) may go.

Three brakes: limits that are shared with other processes, the waits that the provider
asks for, and a number of calls in flight that halves when it says "too many" and grows
again with every success (additive increase, multiplicative decrease, as TCP does).
"""

import asyncio
import random
import time
from asyncio import Future, ensure_future, shield
from collections import deque
from collections.abc import Callable
from typing import Protocol

from aistrale_lab.domain.chat import RateLimits
from aistrale_lab.errors import LabError

Clock = Callable[[], float]
"""A monotonic clock, in seconds."""

POLL = 0.25
"""The longest nap of a waiting call, in seconds: waits can be lifted meanwhile."""


class Parked(LabError):
    """The provider asked for a longer wait than we are willing to sit through."""

    status_code = 429


class LaneEnded(Exception):
    """The lane was stopped while a call waited for its turn; nothing was sent."""


class Shared(Protocol):
    """Limits that other processes draw on too."""

    async def reserve(self, tokens: int) -> float:
        """Take a call and its tokens; returns the seconds until it may be sent."""

    def settle(self, tokens: int, *, calls: int = 0) -> None:
        """Take what was used beyond what was reserved; negative gives back."""


class Pace:
    """The brakes of one lane. All methods belong to the engine's loop."""

    def __init__(
        self,
        *,
        concurrency: int,
        longest_wait: float = 120.0,
        backoff: float = 0.5,
        clock: Clock = time.monotonic,
        shared: Shared | None = None,
    ) -> None:
        self.in_flight = 0
        self.waiting_until = 0.0
        self._most = concurrency
        self._allowed = float(concurrency)
        self._shared = shared
        self._longest_wait = longest_wait
        self._backoff = backoff
        self._refusals = 0
        self._clock = clock
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """How many calls may be in flight just now."""
        return max(1, int(self._allowed))

    @property
    def rate_limited(self) -> float:
        """Seconds that the lane still waits because the provider said so."""
        return max(0.0, self.waiting_until - self._clock())

    async def acquire(self, tokens: int, over: asyncio.Event) -> None:
        """Wait for a place, then take it; `release` gives it back.

        Raises LaneEnded once `over` is set.
        """
        while True:
            if over.is_set():
                self._wake()
                raise LaneEnded
            if self._try_take():
                await self._take_turn(tokens, over)
                return
            await self._nap()

    def release(self, *, charged: int = 0, used: int | None = None) -> None:
        """Give the place back, and settle the tokens charged against those used."""
        self.in_flight -= 1
        if used is not None and self._shared:
            self._shared.settle(used - charged)
        self._wake()

    def succeeded(self) -> None:
        """A call came through: allow a little more."""
        self._refusals = 0
        if self._allowed < self._most:
            self._allowed = min(self._most, self._allowed + 1.0 / self._allowed)
            self._wake()

    def refused(self, asked: float | None) -> None:
        """A call met a rate limit: the whole lane waits, and thins out.

        `asked` is the provider's wait in seconds, None if it named none. Raises
        Parked if it is longer than the longest wait.
        """
        if asked is not None and asked > self._longest_wait:
            raise Parked(f"rate limited: the provider asks to wait {asked:.0f} s")
        already_waiting = self.rate_limited > 0
        if not already_waiting:
            self._refusals += 1
            self._allowed = max(1.0, self._allowed / 2)
        wait = asked if asked is not None else self._own_wait()
        if asked is not None or not already_waiting:
            self.waiting_until = max(self.waiting_until, self._clock() + wait)

    def learn(self, limits: RateLimits) -> None:
        """Wait for the reset when the headers say that nothing remains."""
        wait = 0.0
        if limits.remaining_requests == 0:
            wait = limits.reset_requests or 0.0
        if limits.remaining_tokens == 0:
            wait = max(wait, limits.reset_tokens or 0.0)
        if 0 < wait <= self._longest_wait:
            self.waiting_until = max(self.waiting_until, self._clock() + wait)

    def _try_take(self) -> bool:
        if self.in_flight >= self.allowed or self.rate_limited > 0:
            return False
        self.in_flight += 1
        return True

    async def _take_turn(self, tokens: int, over: asyncio.Event) -> None:
        """With a place in hand, wait for the turn among all processes.

        A turn that is not used is given back, also one that is granted too late.
        """
        if self._shared is None:
            return
        shared, reserving = self._shared, ensure_future(self._shared.reserve(tokens))

        def give_back(reserved: "Future[float]") -> None:
            if not reserved.cancelled() and reserved.exception() is None:
                shared.settle(-tokens, calls=-1)

        try:
            due = self._clock() + await shield(reserving)
            while (left := due - self._clock()) > 0:
                if over.is_set():
                    raise LaneEnded
                await asyncio.sleep(min(left, POLL))
        except BaseException:
            self.release()
            reserving.add_done_callback(give_back)
            raise

    def _own_wait(self) -> float:
        ceiling = self._backoff * 2.0 ** min(self._refusals, 7)
        return min(self._longest_wait, random.uniform(ceiling / 2, ceiling))

    async def _nap(self) -> None:
        wait = self.rate_limited
        if wait > 0:
            await asyncio.sleep(min(wait, POLL))
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
