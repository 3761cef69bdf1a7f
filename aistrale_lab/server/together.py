"""One look at the store for all requests that ask the same question just now."""

import asyncio
from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

K = TypeVar("K")
V = TypeVar("V")

MOST = 500
"""Keys of one look."""


class Together(Generic[K, V]):
    """Finds what belongs to keys: all that are asked for meanwhile, by the next look.

    A look begins after the last of its questions: nobody hears what was true before
    they asked. Belongs to one loop.
    """

    def __init__(self, look: Callable[[Set[K]], Mapping[K, V]]) -> None:
        self._look = look
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._looking: asyncio.Task[Mapping[K, V]] | None = None

    async def find(self, key: K) -> V | None:
        """What belongs to a key, None if nothing does; raises what the look raises."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._looking is None:
            self._look_soon()
        return await answer

    def _look_soon(self) -> None:
        asked: list[tuple[K, asyncio.Future[V | None]]] = []
        self._looking = asyncio.create_task(self._find_all(asked))
        self._looking.add_done_callback(partial(self._tell, asked))

    async def _find_all(
        self, asked: list[tuple[K, "asyncio.Future[V | None]"]]
    ) -> Mapping[K, V]:
        asked += self._waiting[:MOST]
        del self._waiting[:MOST]
        return await run_in_threadpool(self._look, {key for key, _ in asked})

    def _tell(
        self,
        asked: list[tuple[K, "asyncio.Future[V | None]"]],
        look: "asyncio.Task[Mapping[K, V]]",
    ) -> None:
        self._looking = None
        if self._waiting:
            self._look_soon()
        for key, answer in asked:
            if answer.done():
                continue
            if look.cancelled():
                answer.cancel()
            elif (error := look.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(look.result().get(key))
