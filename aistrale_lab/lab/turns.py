"""Taking turns: what has the same key is done by one thread after the other."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakValueDictionary


class Turns:
    """The turns of this process; nothing is kept of a key that nobody waits for."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._turns: WeakValueDictionary[Hashable, Lock] = WeakValueDictionary()

    @contextmanager
    def of(self, *key: Hashable) -> Iterator[None]:
        """A block that no other thread is in with an equal key."""
        with self._guard:
            turn = self._turns.setdefault(key, Lock())
        with turn:
            yield
