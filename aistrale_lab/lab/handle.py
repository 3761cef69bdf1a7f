"""A run in the making: its progress, and the ways to wait for it or stop it."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import Future
from time import perf_counter
from typing import Any, Generic, TypeVar

from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import POLL, EngineThread, Latch
from aistrale_lab.errors import StoreError

T = TypeVar("T")

IDLE = 10
"""How many times as long as a look took nobody looks."""

LOOKS = 40
"""From so many looks on they come less often, up to SLOW seconds apart."""

SLOW = 2.0

TURN = 0.25
"""Seconds until the caller's loop turns again, whatever happens.

A Jupyter kernel whose cell awaits hears of an interrupt only when its loop turns.
"""


class RunHandle(Generic[T]):
    """What `bench.start` returns. The run goes on in the engine's thread.

    `await handle` and `handle.wait()` give the experiment. Interrupting either
    stops the run: nothing goes on, and keeps paying, unseen.
    """

    def __init__(
        self,
        engine: EngineThread,
        conduct: Coroutine[Any, Any, object],
        *,
        so_far: Callable[[], T],
        experiment_id: str,
        lanes: Sequence[LaneProgress],
        on_interrupt: Callable[[], None] = lambda: None,
        owner: str | None = None,
        ask_owner: Callable[[], None] | None = None,
    ) -> None:
        self.experiment_id = experiment_id
        self.lanes = lanes
        self.so_far = so_far
        """The experiment as it stands now, while the run goes on."""
        self.owner = owner
        """The other process that executes the run, if this one only looks on."""
        self._ask_owner = ask_owner
        self._loop = engine.loop
        self._on_interrupt = on_interrupt
        self._outcome: Future[T] = Future()
        self._outcome.set_running_or_notify_cancel()
        self._ended = Latch()
        self._outcome.add_done_callback(lambda _: self._ended.open())
        self._task: asyncio.Task[None] | None = None
        self._loop.call_soon_threadsafe(self._begin, conduct)

    def watch(self, look: Callable[[], None], *, every: float) -> None:
        """Call `look` every so many seconds while the run goes on, and at its end.

        The calls come one after the other, from a thread that ends with the bench. A
        look that takes long, or at a run that takes long, comes less often: looking
        on costs little of what is looked at.
        """
        asyncio.run_coroutine_threadsafe(self._watch(look, every), self._loop)

    def done(self) -> bool:
        """Whether the run has ended and everything it did is on disk."""
        return self._outcome.done()

    def on_end(self, call: Callable[[], object]) -> None:
        """Call once the run has ended, or now if it has; from whatever thread."""
        self._outcome.add_done_callback(lambda _: call())

    def failure(self) -> BaseException | None:
        """What broke the run, if it has ended so; None while it goes on."""
        return self._outcome.exception() if self.done() else None

    def cancel(self) -> None:
        """Send no more, keep what is done; called twice: drop what is in flight.

        Another process that executes the run is asked to stop it, and does so within
        seconds. Raises StoreError if it cannot be asked.
        """
        if self.owner is None or self.done():
            self.leave()
        elif self._ask_owner is not None:
            self._ask_owner()
        else:
            raise StoreError(f"the run is executed by {self.owner}: stop it there")

    def leave(self) -> None:
        """Stop the run; of one that another process executes, only the watching."""
        if not self.done():
            self._loop.call_soon_threadsafe(self._stop)

    def wait(self, timeout: float | None = None) -> T:
        """Block until the run has ended; raises TimeoutError after `timeout` s.

        A KeyboardInterrupt stops the run, waits for its end, and rises again.
        """
        left = timeout
        try:
            while not self._ended.wait(POLL if left is None else min(POLL, left)):
                if left is not None:
                    left -= POLL
                    if left <= 0:
                        raise TimeoutError("the run goes on")
        except KeyboardInterrupt:
            self._stop_and_join()
            raise
        return self._outcome.result()

    def __await__(self) -> Generator[Any, None, T]:
        return self._awaited().__await__()

    async def _awaited(self) -> T:
        waiting = asyncio.wrap_future(self._outcome)
        try:
            while not waiting.done():
                await asyncio.wait([waiting], timeout=TURN)
            return waiting.result()
        except asyncio.CancelledError:
            self.leave()
            with contextlib.suppress(Exception):
                await asyncio.shield(waiting)
            self._on_interrupt()
            raise

    async def _watch(self, look: Callable[[], None], every: float) -> None:
        ended = asyncio.wrap_future(self._outcome)
        began, pause = perf_counter(), every
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=pause)
                if not ended.done():
                    looked = perf_counter()
                    await asyncio.to_thread(look)
                    now = perf_counter()
                    pause = _pause(every, took=now - looked, age=now - began)
        finally:
            look()

    def _begin(self, conduct: Coroutine[Any, Any, object]) -> None:
        self._task = self._loop.create_task(self._conduct(conduct))

    async def _conduct(self, conduct: Coroutine[Any, Any, object]) -> None:
        try:
            await conduct
            self._outcome.set_result(self.so_far())
        except BaseException as error:  # whoever waits for the run gets it
            self._outcome.set_exception(error)

    def _stop(self) -> None:
        """Cancel the task in the next turn: by then it has begun, and can clean up."""
        if self._task is not None:
            self._loop.call_soon(self._task.cancel)

    def _stop_and_join(self) -> None:
        self.leave()
        ended = False
        while not ended:
            with contextlib.suppress(KeyboardInterrupt):
                ended = self._ended.wait()
        self._on_interrupt()


def _pause(every: float, *, took: float, age: float) -> float:
    """Seconds to the next look at a run of that age, after one that took so long."""
    return max(every, IDLE * took, min(SLOW, age / LOOKS))
