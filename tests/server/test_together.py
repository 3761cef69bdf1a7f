"""Many ask at once, the store is asked once, and nobody hears of an earlier time."""

import asyncio
import threading
from collections.abc import Set

import pytest

from aistrale_lab.errors import StoreError
from aistrale_lab.server.together import Together


class Library:
    """What can be looked up; a look waits until it is let go."""

    def __init__(self) -> None:
        self.holds = {"a": 1}
        self.looks: list[Set[str]] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.fault: StoreError | None = None

    def look(self, keys: Set[str]) -> dict[str, int]:
        found = {key: self.holds[key] for key in keys & self.holds.keys()}
        self.looks.append(keys)
        self.begun.set()
        self.go.wait()
        if self.fault is not None:
            raise self.fault
        return found


async def test_who_asks_at_once_shares_a_look() -> None:
    library = Library()
    library.go.set()
    together = Together(library.look)

    found = await asyncio.gather(*map(together.find, ["a", "a", "b"]))

    assert found == [1, 1, None]
    assert library.looks == [{"a", "b"}]


async def test_who_asks_during_a_look_hears_what_is_true_after_it_began() -> None:
    library = Library()
    together = Together(library.look)

    first = asyncio.create_task(together.find("a"))
    await asyncio.to_thread(library.begun.wait)
    del library.holds["a"]
    second = asyncio.create_task(together.find("a"))
    await asyncio.sleep(0)
    library.go.set()

    assert await first == 1
    assert await second is None
    assert len(library.looks) == 2


async def test_a_fault_is_told_to_all_who_wait_and_the_next_look_is_a_new_one() -> None:
    library = Library()
    library.go.set()
    library.fault = StoreError("away")
    together = Together(library.look)

    told = await asyncio.gather(*map(together.find, "ab"), return_exceptions=True)
    library.fault = None

    assert [type(one) for one in told] == [StoreError, StoreError]
    assert await together.find("a") == 1


async def test_who_leaves_takes_nobody_along() -> None:
    library = Library()
    together = Together(library.look)

    leaving, staying = (asyncio.create_task(together.find("a")) for _ in range(2))
    await asyncio.to_thread(library.begun.wait)
    leaving.cancel()
    library.go.set()

    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await staying == 1
