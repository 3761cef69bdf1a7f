"""PostgreSQL killed under a store: answers wait until it is back, each stored once."""

import asyncio
from datetime import UTC, datetime

import pytest
from servers.postgres import Postgres
from sqlalchemy import select

from aistrale_lab.domain.runs import Attempt
from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import StoreError
from aistrale_lab.store.results import Store
from aistrale_lab.store.sign_ins import SIGN_INS, SignIns
from aistrale_lab.store.writing import ATTEMPTS, RESULTS
from tests.store.conftest import add_run, make_result

TRIED = Attempt(
    number=1,
    started_at=datetime.now(UTC),
    duration=0.1,
    error_type="ServerError",
    error="bad",
)


async def test_answers_wait_for_a_killed_server_and_are_stored_once(
    postgres: Postgres,
    postgres_url: str,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits for a page does not: of them nothing is written later either."""
    monkeypatch.setattr("aistrale_lab.store.recorder.PATIENCE", 0.1)
    store = Store.open(postgres_url)
    add_run(store, task)
    saved = asyncio.Event()

    async def save(worker: int) -> None:
        for n in range(30):
            name = f"w{worker}-{n}"
            await store.recorder.save(make_result(name, failed_attempts=(TRIED,)))
            saved.set()

    saving = asyncio.gather(*(save(worker) for worker in range(8)))
    await asyncio.wait_for(saved.wait(), 60)
    await asyncio.to_thread(postgres.kill)
    with pytest.raises(StoreError, match="cannot be written at the moment"):
        await asyncio.to_thread(SignIns(store).begin, "ann", "::1")
    waits = not saving.done()
    await asyncio.to_thread(postgres.start)
    await saving

    rows = [row.sample_id for row in store.read(select(RESULTS))]
    counted = store.read(select(SIGN_INS))
    tries = [row.sample_id for row in store.read(select(ATTEMPTS))]
    store.close()
    assert waits
    assert counted == []
    assert sorted(rows) == sorted({f"w{w}-{n}" for w in range(8) for n in range(30)})
    assert sorted(tries) == sorted(rows)


async def test_a_server_that_was_away_too_long_is_tried_again(
    postgres: Postgres,
    postgres_url: str,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aistrale_lab.store.recorder.BUSY_BUDGET", 0.0)
    store = Store.open(postgres_url)
    add_run(store, task)
    await asyncio.to_thread(postgres.kill)
    with pytest.raises(StoreError, match="taken in on the next start"):
        await store.recorder.save(make_result("while away"))
    await asyncio.to_thread(postgres.start)

    await store.recorder.save(make_result("afterwards"))
    store.close()
    store = Store.open(postgres_url)
    rows = [row.sample_id for row in store.read(select(RESULTS))]
    store.close()

    assert sorted(rows) == ["afterwards", "while away"]
