"""The calls of users: stored in groups before they are answered, each exactly once."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Message, Usage
from aistrale_lab.errors import StoreError
from aistrale_lab.store.call_spool import CallSpool, rows_in
from aistrale_lab.store.charges import is_paid_by
from aistrale_lab.store.reading import RUNS
from aistrale_lab.store.recorder import Waiter, tell
from aistrale_lab.store.results import Store
from aistrale_lab.store.team_tables import CallRow
from aistrale_lab.store.writing import RESULTS, Row, clean

CALLS: Table = CallRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

PATIENCE = 3.0
"""Seconds that an answer waits for its commit before it is spooled instead."""

AGAIN = 2.0
"""Seconds between the tries to take in what was spooled."""

LARGEST = 2**31 - 1
"""The largest count that a column of every database holds."""


@dataclass(slots=True)
class _Batch:
    """What one commit will hold, and who waits for it."""

    rows: list[Row] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    refused: list[tuple[Row, Waiter]] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """What was asked in a call whose cost nobody knows."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None


@dataclass(frozen=True)
class Spent:
    """USD of the calls whose cost is known, and the other calls."""

    usd: Decimal
    unknown: list[Question]


class Calls:
    """Stores calls through the store's recorder.

    When the database is away, calls are kept in files, which is as good: they are
    taken in as soon as it is back, by this process or the next.
    """

    def __init__(self, store: Store, *, patience: float = PATIENCE) -> None:
        self._recorder = store.recorder
        self._read = store.read
        self._spool = CallSpool(store.path, store.url)
        self._patience = patience
        self._pending: deque[tuple[Row, Waiter]] = deque()
        self._scheduled = False
        self._timer: threading.Timer | None = None
        self._closed = False

    async def save(self, answer: Answer, user_id: str, token_id: str | None) -> None:
        """Store what became of a call; returns once it is on disk.

        Raises StoreError if neither the database nor the disk takes it.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        row = call_row(answer, user_id, token_id)
        self._pending.append((row, (loop, done)))
        if not self._scheduled:
            self._scheduled = True
            self._write()
        patience = loop.call_later(self._patience, self._keep, [row], [(loop, done)])
        try:
            await done
        finally:
            patience.cancel()

    def spent(self, user_id: str, since: datetime) -> Spent:
        """What the calls of a user have cost that were begun since then."""
        mine = (CALLS.c.user_id == user_id, CALLS.c.started_at >= since)
        cost = CALLS.c.cost_usd
        known = (
            select(cost, func.count().label("calls"))
            .where(*mine, cost.is_not(None))
            .group_by(cost)
        )
        unknown = select(
            CALLS.c.provider, CALLS.c.model, CALLS.c.messages, CALLS.c.config
        ).where(*mine, cost.is_(None))
        total = sum(
            (Decimal(row.cost_usd) * row.calls for row in self._read(known)), Decimal(0)
        )
        return Spent(total, [_question(row) for row in self._read(unknown)])

    def spent_in_runs(self, user_id: str, since: datetime) -> Decimal:
        """What answers have cost, begun since then, in runs that a user pays."""
        cost = RESULTS.c.cost_usd
        statement = (
            select(cost, func.count().label("answers"))
            .join(RUNS, RUNS.c.id == RESULTS.c.run_id)
            .where(is_paid_by(user_id))
            .where(RESULTS.c.started_at >= since, cost.is_not(None))
            .group_by(cost)
        )
        rows = self._read(statement)
        return sum((Decimal(r.cost_usd) * r.answers for r in rows), Decimal(0))

    def kept(self) -> int:
        """How many files wait to be taken in."""
        return len(self._spool.files())

    def take_in(self) -> int:
        """Store what was spooled; returns how many calls were in the files.

        Raises StoreError if the database is still away.
        """
        taken = 0
        for path in self._spool.files():
            rows = rows_in(path)
            if rows:
                self._recorder.call(partial(_insert, rows=rows)).result()
            path.unlink(missing_ok=True)
            taken += len(rows)
        return taken

    def close(self) -> None:
        """Take in no more; what is spooled is for the next process."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _write(self) -> None:
        """Have the recorder store all that waits when its turn comes."""
        batch = _Batch()
        try:
            future = self._recorder.call(lambda c: self._store(c, batch))
        except StoreError:
            self._scheduled = False
            self._gather(batch)
            self._keep(batch.rows, batch.waiters)
            return
        future.add_done_callback(lambda f: self._stored(f, batch))

    def _store(self, connection: Connection, batch: _Batch) -> None:
        """The recorder may call this again, if another process held the lock."""
        self._scheduled = False  # first: who comes from now on asks for a write
        self._gather(batch)
        batch.refused.clear()
        try:
            with connection.begin_nested():
                _insert(connection, batch.rows)
        except (IntegrityError, DataError):
            _store_singly(connection, batch)

    def _gather(self, batch: _Batch) -> None:
        while self._pending:
            row, waiter = self._pending.popleft()
            batch.rows.append(row)
            batch.waiters.append(waiter)

    def _stored(self, future: "Future[None]", batch: _Batch) -> None:
        if future.exception() is not None:
            self._scheduled = False
            self._gather(batch)
            self._keep(batch.rows, batch.waiters)
            return
        if batch.refused:
            told = StoreError("the store refused a call, which is lost")
            tell([waiter for _, waiter in batch.refused], told)
        tell(batch.waiters, None)

    def _keep(self, rows: Sequence[Row], waiters: Sequence[Waiter]) -> None:
        """Spool the rows, and try again later to store them."""
        try:
            self._spool.keep(rows)
        except OSError as error:
            lost = f"{len(rows)} calls could not be stored or kept: {error}"
            tell(waiters, StoreError(lost))
            return
        tell(waiters, None)
        self._try_again()

    def _try_again(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = threading.Timer(AGAIN, self._take_in_later)
            self._timer.daemon = True
            self._timer.start()

    def _take_in_later(self) -> None:
        self._timer = None
        try:
            self.take_in()
        except (StoreError, OSError):
            self._try_again()


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert the calls that are not there yet."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(CALLS).on_conflict_do_nothing(index_elements=["id"]), list(rows)
    )


def _question(row: Any) -> Question:
    return Question(
        model=f"{row.provider}/{row.model}",
        messages=tuple(Message.model_construct(**one) for one in row.messages),
        max_tokens=row.config.get("max_tokens"),
    )


def call_row(answer: Answer, user_id: str, token_id: str | None) -> Row:
    """The row of a call."""
    timing = answer.timing
    finish = answer.finish_reason
    return {
        "id": answer.id,
        "user_id": user_id,
        "token_id": token_id,
        "provider": answer.model.provider,
        "model": clean(answer.model.model),
        "messages": [one.model_dump() for one in answer.messages],
        "config": answer.config.sent() | answer.config.extra,
        "output": clean(answer.text),
        "reasoning": clean(answer.reasoning) or None,
        "finish_reason": finish.value if finish else None,
        "error_type": answer.error_type,
        "error": clean(answer.error),
        **_counts(answer.usage),
        "duration_s": timing.duration,
        "time_to_first_token_s": timing.time_to_first_token,
        "queue_s": timing.queue,
        "retry_wait_s": timing.retry_wait,
        "attempts": answer.attempts,
        "cost_usd": None if answer.cost is None else format(answer.cost, "f"),
        "request_id": clean(answer.request_id),
        "started_at": answer.started_at,
    }


def _counts(usage: Usage) -> dict[str, int | None]:
    """Token counts; a provider may say anything."""
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }
    return {k: v if v is not None and v <= LARGEST else None for k, v in counts.items()}


def _store_singly(connection: Connection, batch: _Batch) -> None:
    """One call that the database refuses must not take the others with it."""
    for row, waiter in zip(batch.rows, batch.waiters, strict=True):
        try:
            with connection.begin_nested():
                _insert(connection, [row])
        except (IntegrityError, DataError):
            batch.refused.append((row, waiter))
