"""The engine's own thread and event loop: the caller's loop is never patched."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

POLL = 0.05
"""Seconds between looks at a future, so that a KeyboardInterrupt can arrive."""


class EngineThread:
    """A background thread with an event loop, started on first use."""

    def __init__(self, name: str = "aistrale-engine") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The engine's loop, running."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(self._loop,), name=self._name, daemon=True
                )
                self._thread.start()
            return self._loop

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the engine's loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the engine's loop and wait for it, from any thread."""
        return wait_for(self.submit(coroutine))

    def close(self) -> None:
        """Stop the loop and join the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


class Latch:
    """Opened once, and waited for in a way that an interrupt cannot tear.

    A bare lock is taken in one step, where an interrupt between the steps of a
    condition (`Event.wait`, `Future.result`) raises RuntimeError in its place.
    """

    def __init__(self) -> None:
        self._opened = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        self._opened = True
        self._lock.release()

    def wait(self, timeout: float = POLL) -> bool:
        """Whether it is open, at the latest after `timeout` s."""
        return self._opened or self._lock.acquire(timeout=timeout)


def wait_for(future: Future[T]) -> T:
    """The future's outcome; an interrupt cancels it and rises."""
    ended = Latch()
    future.add_done_callback(lambda _: ended.open())
    try:
        while not ended.wait():
            pass
    except KeyboardInterrupt:
        future.cancel()
        raise
    return future.result()


def wait(
    function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
) -> T:
    """The one synchronous door: call a coroutine function and wait for its outcome.

    Works with and without a running event loop, since the coroutine runs in a
    thread of its own. An interrupt cancels it, waits for it to clean up, and is
    raised again.
    """
    door = EngineThread(name="aistrale-wait")
    ended = Latch()

    async def run() -> T:
        try:
            return await function(*args, **kwargs)
        finally:
            ended.open()

    try:
        future = door.submit(run())
        try:
            return wait_for(future)
        except KeyboardInterrupt:
            while not ended.wait():
                pass
            raise
    finally:
        door.close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
