"""What takes long to make, made once, and off the event loop."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast

import anyio.to_thread
from fastapi import Request

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""Pages in the making: they compute, and two already fill a machine."""

MOST = 16
"""Values that are kept: a described experiment holds its plots, up to 2 MB."""


class Kept:
    """The last few values by what they were made from; each is made once.

    A key has to name everything that the value depends on.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key. Others wait while one is made."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return cast(T, self._values[key])


async def in_thread(
    request: Request, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Make a page in a thread; a few at once, and others wait without one."""
    limiter = request.app.state.page_limiter
    return await anyio.to_thread.run_sync(
        lambda: make(*args, **kwargs), limiter=limiter
    )
