"""Calls of users: stored in groups, exactly once, whatever becomes of the database."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import FinishReason, GenerateConfig, Message, Usage
from aistrale_lab.domain.runs import Timing
from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.errors import StoreError
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.calls import CALLS, Calls
from aistrale_lab.store.results import Store


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A store whose folder of kept calls is known."""
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


@pytest.fixture
def user(store: Store) -> str:
    return Accounts(store).add("ann", "no hash", role="user").id


@pytest.fixture
def calls(store: Store) -> Iterator[Calls]:
    calls = Calls(store)
    yield calls
    calls.close()


def make_answer(number: int = 0, **changes: Any) -> Answer:
    fields: dict[str, Any] = {
        "id": f"call{number:05}",
        "model": ModelRef.parse("openai/org/large:fast"),
        "messages": (Message(role="user", content=f"What is {number}?"),),
        "config": GenerateConfig(max_tokens=5, extra={"top_k": 3}),
        "text": "4",
        "finish_reason": FinishReason.STOP,
        "usage": Usage(input_tokens=3, output_tokens=1),
        "timing": Timing(duration=0.5, queue=0.1),
        "cost": Decimal("0.000000300"),
        "started_at": datetime.now(UTC),
    }
    return Answer.model_validate({**fields, **changes})


def stored(store: Store) -> list[Any]:
    return list(store.read(select(CALLS).order_by(CALLS.c.id)))


async def test_a_call_is_stored_with_all_that_is_known_of_it(
    store: Store, calls: Calls, user: str
) -> None:
    await calls.save(make_answer(), user, None)

    (row,) = stored(store)
    assert (row.provider, row.model) == ("openai", "org/large:fast")
    assert row.messages == [{"role": "user", "content": "What is 0?"}]
    assert row.config == {"max_tokens": 5, "top_k": 3}
    assert (row.output, row.finish_reason) == ("4", "stop")
    assert row.cost_usd == "0.000000300", "money is exact text"
    assert (row.user_id, row.token_id) == (user, None)
    assert row.reasoning is None


async def test_many_calls_at_once_share_few_commits_and_none_is_lost(
    store: Store, calls: Calls, user: str
) -> None:
    await asyncio.gather(*(calls.save(make_answer(n), user, None) for n in range(500)))

    assert [row.id for row in stored(store)] == [f"call{n:05}" for n in range(500)]


async def test_a_call_that_is_saved_twice_is_stored_once(
    store: Store, calls: Calls, user: str
) -> None:
    await calls.save(make_answer(), user, None)
    await calls.save(make_answer(text="other"), user, None)

    assert [row.output for row in stored(store)] == ["4"]


async def test_what_no_database_holds_is_cleaned(
    store: Store, calls: Calls, user: str
) -> None:
    odd = make_answer(text="a\0b\ud83d", usage=Usage(input_tokens=10**12))

    await calls.save(odd, user, None)

    (row,) = stored(store)
    assert row.output == "a\ufffdb\ufffd"
    assert row.input_tokens is None


async def test_a_call_that_the_database_refuses_takes_no_other_with_it(
    store: Store, calls: Calls, user: str
) -> None:
    answers = [calls.save(make_answer(n), user, None) for n in range(5)]
    answers.append(calls.save(make_answer(9), "nobody", None))

    told = await asyncio.gather(*answers, return_exceptions=True)

    assert told[:5] == [None] * 5
    assert isinstance(told[5], StoreError)
    assert len(stored(store)) == 5


async def test_when_the_database_is_away_calls_are_kept_and_taken_in_once(
    file_url: str, tmp_path: Path
) -> None:
    store = Store.open(file_url)
    user = Accounts(store).add("ann", "no hash", role="user").id
    calls = Calls(store, patience=0.05)
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now

        await asyncio.gather(*(calls.save(make_answer(n), user, None) for n in (1, 2)))
        kept = len(list((tmp_path / "store.db.calls").glob("*.jsonl")))
        other.execute("ROLLBACK")
    await calls.save(make_answer(3), user, None)
    calls.close()
    calls.take_in()

    assert kept == 2
    assert [row.id for row in stored(store)] == ["call00001", "call00002", "call00003"]
    assert calls.take_in() == 0
    store.close()


async def test_the_next_process_takes_in_what_the_last_one_kept(
    file_url: str, tmp_path: Path
) -> None:
    store = Store.open(file_url)
    user = Accounts(store).add("ann", "no hash", role="user").id
    calls = Calls(store)
    store.close()  # from now on nothing can be stored
    await calls.save(make_answer(), user, None)
    calls.close()

    store = Store.open(file_url)
    taken = Calls(store).take_in()

    assert taken == 1
    assert [row.started_at is not None for row in stored(store)] == [True]
    store.close()


async def test_kept_calls_are_taken_in_without_being_asked(file_url: str) -> None:
    store = Store.open(file_url)
    user = Accounts(store).add("ann", "no hash", role="user").id
    calls = Calls(store, patience=0.0)

    await calls.save(make_answer(), user, None)

    async with asyncio.timeout(20):
        while calls.kept():
            await asyncio.sleep(0.02)
    count = store.read(select(func.count()).select_from(CALLS))[0][0]
    assert count == 1
    calls.close()
    store.close()


async def test_without_database_and_disk_nobody_is_told_that_it_is_safe(
    file_url: str, tmp_path: Path
) -> None:
    store = Store.open(file_url)
    calls = Calls(store)
    store.close()
    (tmp_path / "store.db.calls").write_text("a file stands where the folder would be")

    with pytest.raises(StoreError, match="could not be stored or kept"):
        await calls.save(make_answer(), "u", None)
    calls.close()
