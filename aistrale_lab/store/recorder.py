"""The one writer: a thread that commits in groups, and says so only afterwards."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

from aistrale_lab.domain.runs import SampleResult, SampleScore
from aistrale_lab.errors import LabError, StoreError
from aistrale_lab.store import leases
from aistrale_lab.store.database import Database
from aistrale_lab.store.faults import PassingStoreError, in_words, is_passing
from aistrale_lab.store.spool import Spool
from aistrale_lab.store.writing import (
    Row,
    result_row,
    score_row,
    write_results,
    write_scores,
)

T = TypeVar("T")

LINGER = 0.004
"""Seconds a group waits for company before it is committed."""

BUSY_BUDGET = 120.0
"""Seconds that a group keeps trying: the lock is held, or the server is away."""

PATIENCE = 3.0
"""Seconds that somebody waits for a write while the database lets nobody in."""

HEARTBEAT = 10.0
"""Seconds between the signs of life of the leases that are held."""

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]
"""Who waits for a commit, and on which loop."""


@dataclass(slots=True)
class _Group:
    """What one commit will hold."""

    results: list[SampleResult] = field(default_factory=list)
    scores: list[Row] = field(default_factory=list)
    calls: list[tuple[Callable[[Connection], Any], Future[Any]]] = field(
        default_factory=list
    )
    waiters: list[Waiter] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.results) + len(self.scores) + len(self.calls)


class Recorder:
    """Takes writes from any thread and commits them in groups.

    In a group, results go before scores, and scores before calls. A save is done
    when the commit that holds it is done: then, and not before, its waiter is told.
    When a commit fails, its results are spooled to a file. If it failed for good, every
    later save fails at once; a database that was away too long is tried again by each.
    """

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool
        self._group = _Group()
        self._news = threading.Condition()
        self._closing = False
        self._broken: StoreError | None = None
        self._leased: set[tuple[Table, str]] = set()
        self._leasing = threading.Lock()
        self._shut_out_since: float | None = None
        self._thread = threading.Thread(
            target=self._work, name="aistrale-recorder", daemon=True
        )
        self._thread.start()

    async def save(self, found: SampleResult) -> None:
        """Store a result; returns after its commit. Raises StoreError."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._news:
            self._check_open()
            self._group.results.append(found)
            self._group.waiters.append((loop, done))
            self._news.notify()
        await done

    async def save_scores(self, run_id: str, scores: Sequence[SampleScore]) -> None:
        """Store scores, in the place of older ones; returns after their commit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        with self._news:
            self._check_open()
            self._group.scores.extend(score_row(run_id, score) for score in scores)
            self._group.waiters.append((loop, done))
            self._news.notify()
        await done

    def call(self, write: Callable[[Connection], T]) -> "Future[T]":
        """Run a write in the writer's transaction, after what waits already."""
        future: Future[T] = Future()
        with self._news:
            self._check_open()
            self._group.calls.append((write, future))
            self._news.notify()
        return future

    def write(self, write: Callable[[Connection], T]) -> T:
        """Run a write that a person waits for, and return what it returns.

        Raises StoreError once the database has let nobody in for PATIENCE: the lock
        is held, or the server is away. Then it is not written later either.
        """
        future = self.call(write)
        while True:
            try:
                return future.result(max(0.1, PATIENCE - self._shut_out()))
            except TimeoutError:
                if future.done():
                    return future.result()
                if self._shut_out() >= PATIENCE and future.cancel():
                    said = f"{self._database} cannot be written at the moment"
                    raise PassingStoreError(said) from None

    def lease(self, held: str, table: Table = leases.RUNS) -> None:
        """Take the lease of a run or batch.

        Raises StoreError if somebody holds it, who may have taken it here.
        """
        with self._leasing:
            if (table, held) in self._leased:
                raise leases.refusal(held, table, "this process")
            self.call(lambda c: leases.take(c, held, table)).result()
            self._leased.add((table, held))

    def release(self, held: str, table: Table = leases.RUNS) -> None:
        """Give the lease of a run or batch back."""
        try:
            self.call(lambda c: leases.give_back(c, held, table)).result()
        finally:
            self._leased.discard((table, held))

    def close(self) -> None:
        """Commit what waits, and end the thread."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closing:
            raise StoreError(f"{self._database} is closed")

    def _work(self) -> None:
        beat_at = time.monotonic() + HEARTBEAT
        while True:
            group = self._next_group()
            if group:
                self._commit(group)
            elif self._closing:
                return
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + HEARTBEAT
                self._beat()

    def _next_group(self) -> _Group:
        """What waits, after a short linger; empty when it is time for a beat."""
        with self._news:
            self._news.wait_for(lambda: self._group or self._closing, HEARTBEAT)
            linger = bool(self._group.results) and not self._closing
        if linger:
            time.sleep(LINGER)
        with self._news:
            group, self._group = self._group, _Group()
        return group

    def _commit(self, group: _Group) -> None:
        try:
            answers = self._write_patiently(group)
        except StoreError as error:
            self._shut_out_since = None
            self._fail(group, error)
            return
        for (_, future), answer in zip(group.calls, answers, strict=True):
            if not future.set_running_or_notify_cancel():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        tell(group.waiters, None)

    def _write_patiently(self, group: _Group) -> list[Any]:
        give_up = time.monotonic() + BUSY_BUDGET
        while True:
            try:
                return self._write(group)
            except PassingStoreError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)

    def _write(self, group: _Group) -> list[Any]:
        self._check_there()
        with self._transaction() as connection:
            if group.results:
                write_results(connection, group.results)
            if group.scores:
                write_scores(connection, group.scores)
            return [
                None if future.cancelled() else _called(connection, write)
                for write, future in group.calls
            ]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._shut_out_since is None:
            self._shut_out_since = time.monotonic()
        with self._database.write() as connection:
            self._shut_out_since = None
            yield connection

    def _shut_out(self) -> float:
        """Seconds for which the database has let nobody in, 0 if nobody asked it to."""
        since = self._shut_out_since
        return 0.0 if since is None else time.monotonic() - since

    def _check_there(self) -> None:
        path = self._database.path
        if path is not None and not path.exists():
            raise StoreError(f"{path} was moved or deleted while it was in use")

    def _fail(self, group: _Group, error: StoreError) -> None:
        passing, where = isinstance(error, PassingStoreError), None
        if group.results:
            where = self._spool.keep([result_row(found) for found in group.results])
            kept = f"kept in {where}, taken in on the next start" if where else "LOST"
            error = StoreError(f"{error.message}; {len(group.results)} answers {kept}")
        if (group.results or group.scores) and not passing:
            with self._news:
                self._broken = error
        for _, future in group.calls:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        tell(group.waiters, error)

    def _beat(self) -> None:
        held = tuple(self._leased)
        if held and self._broken is None:
            try:
                with self._transaction() as connection:
                    for table in leases.HELD:
                        mine = [one for where, one in held if where is table]
                        leases.beat(connection, mine, table)
            except StoreError:
                self._shut_out_since = None  # the next write says it


def _called(connection: Connection, write: Callable[[Connection], Any]) -> Any:
    """The call's answer, or what it raised: one bad call must not undo its group."""
    try:
        with connection.begin_nested():
            return write(connection)
    except LabError as error:
        return error
    except DBAPIError as error:
        if is_passing(error):
            raise
        return StoreError(f"a write was refused: {in_words(error)}")
    except UnicodeEncodeError:
        return StoreError("a write was refused: text with a lone surrogate")
    except Exception as error:  # its caller is told; the writer goes on for all others
        return error


def tell(waiters: Sequence[Waiter], error: StoreError | None) -> None:
    """Wake all waiters of a loop at once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for loop, future in waiters:
        by_loop.setdefault(loop, []).append(future)
    for loop, futures in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(
    futures: Sequence["asyncio.Future[None]"], error: StoreError | None
) -> None:
    for future in futures:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(None)
