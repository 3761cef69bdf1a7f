"""From a caller's event loop to the engine's and back, cheaply, from many callers."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ConnectionFailedError

T = TypeVar("T")
P = TypeVar("P")


class Doorway:
    """Calls into a loop from other threads, in order; a burst of them wakes it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have the loop call the function; raises RuntimeError if it is closed."""
        self._waiting.append((function, arguments))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._let_in)

    def _let_in(self) -> None:
        self._woken = False  # first: who comes from now on wakes the loop again
        for _ in range(len(self._waiting)):
            function, arguments = self._waiting.popleft()
            function(*arguments)


class Crossing:
    """Runs work on the engine's loop for callers who wait on loops of their own."""

    def __init__(self, engine: EngineThread) -> None:
        self._engine = engine
        self._doorways: WeakKeyDictionary[asyncio.AbstractEventLoop, Doorway] = (
            WeakKeyDictionary()
        )
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(
        self,
        work: Callable[[Callable[[P], None]], Coroutine[Any, Any, T]],
        hear: Callable[[P], None] = lambda piece: None,
    ) -> T:
        """The outcome of work on the engine's loop, in the context of its caller.

        The work is handed a function; what it is called with there is heard here.
        Cancelling cancels the work, which may still clean up when this has returned.
        """
        here = asyncio.get_running_loop()
        engine, home = self._doorway(self._engine.loop), self._doorway(here)
        errand: _Errand[T] = _Errand(here.create_future(), home)
        engine.call(self._begin, errand, work, hear, contextvars.copy_context())
        try:
            return await errand.done
        except asyncio.CancelledError:
            engine.call(errand.leave)
            raise

    async def close(self) -> None:
        """On the engine's loop: cancel all work, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(
        self,
        errand: "_Errand[T]",
        work: Callable[[Callable[[P], None]], Coroutine[Any, Any, T]],
        hear: Callable[[P], None],
        context: contextvars.Context,
    ) -> None:
        def say(piece: P) -> None:
            errand.tell(hear, piece)

        loop = asyncio.get_running_loop()
        task = loop.create_task(work(say), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(errand.ended)
        errand.task = task

    def _doorway(self, loop: asyncio.AbstractEventLoop) -> Doorway:
        doorway = self._doorways.get(loop)
        if doorway is None:
            with self._lock:
                doorway = self._doorways.setdefault(loop, Doorway(loop))
        return doorway


class _Errand(Generic[T]):
    """One piece of work: its task over there, and who waits for it here."""

    def __init__(self, done: "asyncio.Future[T]", home: Doorway) -> None:
        self.done = done
        self.task: asyncio.Task[T] | None = None
        self._home = home

    def tell(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function where the waiting is done, if anybody is still there."""
        with suppress(RuntimeError):  # the caller's loop is closed
            self._home.call(function, *arguments)

    def leave(self) -> None:
        """Nobody waits any more."""
        if self.task is not None:
            self.task.cancel()

    def ended(self, task: "asyncio.Task[T]") -> None:
        """Tell how the work ended."""
        error: BaseException | None = None
        if task.cancelled():
            error = ConnectionFailedError("the bench was closed before the answer came")
        else:
            error = task.exception()
        self.tell(self._settle, task, error)

    def _settle(self, task: "asyncio.Task[T]", error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(task.result())
