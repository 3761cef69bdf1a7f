"""Clocks that watch: deadlines of a call, and the lag of the loop itself."""

import asyncio
from collections import deque
from time import perf_counter
from types import TracebackType

LATE = 1.0
"""Seconds by which a deadline's timer must be late to tell of a stopped process."""

LAG_INTERVAL = 0.05
LAG_THRESHOLD = 0.05
"""Seconds the loop may be late before a call's times are flagged `loop_lag`."""


class Deadline:
    """The total deadline of a call and the one between its tokens, on one timer.

    The timer is set once and looks at the last sign of life when it fires: nothing
    is paid per token. A timer that fires late (a stopped process, a blocked loop)
    grants the lateness, since what arrived meanwhile was not yet read.
    """

    def __init__(self, *, total: float, stall: float) -> None:
        self._total = total
        self._stall = stall
        self._end = perf_counter() + total
        self.alive_at: float | None = None
        """When the last token came, by `time.perf_counter`."""
        self.reason = ""
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "Deadline":
        await self._timeout.__aenter__()
        self._arm(self._total)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _arm(self, delay: float) -> None:
        delay = min(delay, self._stall)
        due = perf_counter() + delay
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._look, due)

    def _look(self, due: float) -> None:
        now = perf_counter()
        late = now - due
        if late > LATE:
            self._end += late + LATE
            if self.alive_at is not None:
                self.alive_at = now
        left = self._end - now
        stalled = self.alive_at is not None and now - self.alive_at >= self._stall
        if left > 0 and not stalled:
            until_stall = (self.alive_at or now) + self._stall - now
            self._arm(min(left, until_stall))
            return
        self.reason = f"the answer was not complete within {self._total:g} s"
        if stalled:
            self.reason = f"no further token came for {self._stall:g} s"
        self._timeout.reschedule(asyncio.get_running_loop().time())


class Turnstile:
    """Lets one call begin per turn of the loop.

    Many places may become free at once, by one commit. If all of them were taken in
    one turn, the tokens of the calls in flight would wait until the last request was
    made, and their times would be wrong.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._free = True

    async def pass_through(self) -> None:
        """Wait for a turn of one's own, in the order of arrival."""
        loop = asyncio.get_running_loop()
        if self._free:
            self._free = False
            loop.call_soon(self._next, loop)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._next, loop)
                return
        self._free = True


class LagWatch:
    """Notes when the loop came late to its own appointments."""

    def __init__(self) -> None:
        self.last_lag_at = float("-inf")
        self.worst = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin watching the running loop."""
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Stop watching."""
        if self._timer:
            self._timer.cancel()

    def lagged_since(self, moment: float) -> bool:
        """Whether the loop lagged after that moment of `time.perf_counter`."""
        return self.last_lag_at >= moment

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + LAG_INTERVAL
        self._timer = loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        lag = loop.time() - due
        if lag > LAG_THRESHOLD:
            self.last_lag_at = perf_counter()
            self.worst = max(self.worst, lag)
        self._arm(loop)
