"""A user's call, from the request to the record: admitted, asked, stored, answered."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TypeVar

from fastapi import Request

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk
from aistrale_lab.lab.asking import Asked, Asking, Keep
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.limits import Admission, Limits
from aistrale_lab.store.calls import Calls

T = TypeVar("T")

Item = Chunk | Answer
"""A piece of a streamed answer, or at its end the answer itself."""


class ClientLeftError(Exception):
    """Nobody is there any more to be answered."""


class Calling:
    """Makes the calls of users. An answer is stored before its last word is told."""

    def __init__(self, asking: Asking, calls: Calls, limits: Limits) -> None:
        self._asking = asking
        self._calls = calls
        self._limits = limits

    async def ask(self, request: Request, asked: Asked) -> Answer:
        """The whole answer. A client who leaves cancels the call."""
        admission = await self._limits.admit(caller_of(request), asked)
        try:
            keep = self._keeper(admission)
            return await while_there(request, self._asking.ask(asked, keep))
        finally:
            admission.end()

    async def stream(
        self, request: Request, asked: Asked
    ) -> AsyncGenerator[Item, None]:
        """The pieces of an answer, from the first one on, which is waited for here.

        So an error before it is raised here too, and not in the midst of an answer.
        """
        admission = await self._limits.admit(caller_of(request), asked)
        items = self._asking.stream(asked, self._keeper(admission))
        try:
            first = await while_there(request, anext(items))
        except BaseException:
            await items.aclose()
            admission.end()
            raise
        return _all_items(first, items, admission)

    def _keeper(self, admission: Admission) -> Keep:
        caller = admission.caller

        async def keep(answer: Answer) -> None:
            await self._calls.save(answer, caller.user_id, caller.token_id)
            admission.answer = answer

        return keep


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """The outcome of work, which is cancelled if the client leaves meanwhile.

    Raises ClientLeftError.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeftError
        return task.result()
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all_items(
    first: Item, items: AsyncGenerator[Item, None], admission: Admission
) -> AsyncGenerator[Item, None]:
    try:
        async with aclosing(items):
            yield first
            async for item in items:
                yield item
    finally:
        admission.end()
