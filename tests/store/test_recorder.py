"""The one writer: shown as done means on disk, and nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from aistrale_lab.domain.runs import SampleScore, Score
from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import StoreError
from aistrale_lab.store.database import Database
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import ATTEMPTS, RESULTS, SCORES
from tests.store.conftest import RUN, add_run, make_failure, make_result

WRITER = """
import asyncio, sys
from aistrale_lab.store.results import Store
from tests.store.conftest import make_result

async def write(store, first, last):
    async def worker(ids):
        for name in ids:
            await store.recorder.save(make_result(name))
            print(name, flush=True)
    ids = (f"{first}-{n}" for n in range(last))
    await asyncio.gather(*(worker(ids) for _ in range(16)))

store = Store.open(sys.argv[1])
asyncio.run(write(store, sys.argv[2], int(sys.argv[3])))
store.close()
"""
ROOT = Path(__file__).parents[2]


def writer(url: str, name: str, rows: int, limit: int | None = None) -> list[str]:
    words = [sys.executable, "-c", WRITER, url]
    words += [name, str(rows)]
    if limit is None:
        return words
    return ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *words]


def start(words: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ids_in(url: str) -> set[str]:
    database = Database.open(url)
    with database.read() as connection:
        if database.path is not None:
            check = connection.exec_driver_sql("PRAGMA integrity_check")
            assert check.scalar() == "ok"
        found = {row.sample_id for row in connection.execute(select(RESULTS))}
    database.close()
    return found


async def test_a_save_returns_when_everybody_can_read_the_row(
    store: Store, url: str
) -> None:
    await store.recorder.save(make_result("s1"))

    assert ids_in(url) == {"s1"}


async def test_a_new_outcome_replaces_the_old_which_stays_an_attempt(
    store: Store,
) -> None:
    await store.recorder.save(make_failure("s1"))

    await store.recorder.save(make_result("s1"))

    rows = store.read(select(RESULTS))
    kept = store.read(select(ATTEMPTS))
    assert [(row.output, row.error_type, row.attempts) for row in rows] == [
        ("4", None, 2)
    ]
    assert [(row.error_type, row.error) for row in kept] == [("ServerError", "bad")]


async def test_the_same_outcome_saved_twice_is_stored_once(store: Store) -> None:
    found = make_result("s1")
    await store.recorder.save(found)

    await store.recorder.save(found)

    assert len(store.read(select(RESULTS))) == 1
    assert store.read(select(ATTEMPTS)) == []


async def test_scores_of_the_same_name_are_replaced(store: Store) -> None:
    await store.recorder.save(make_result("s1"))
    for value in (0.0, 1.0):
        score = SampleScore(
            sample_id="s1", epoch=1, scorer="number", score=Score(value=value)
        )
        await store.recorder.save_scores(RUN, [score])

    assert [row.value for row in store.read(select(SCORES))] == [1.0]


@pytest.mark.parametrize(
    ("text", "stored", "flags"),
    [
        ("a\0b", "a\ufffdb", "text_cleaned"),
        ("x\ud83dy", "x\ufffdy", "text_cleaned"),
        ("👨\u200d👩\u200d👧 שלום", "👨\u200d👩\u200d👧 שלום", ""),
        ("x" * 10_000_000, "x" * 10_000_000, ""),
    ],
    ids=["NUL", "lone surrogate", "ZWJ and RTL", "10 MB"],
)
async def test_text_is_kept_or_cleaned_with_a_flag(
    store: Store, text: str, stored: str, flags: str
) -> None:
    await store.recorder.save(make_result("s1", text))

    row = store.read(select(RESULTS.c.output, RESULTS.c.flags))[0]
    assert row.output == stored
    assert row.flags == flags


@pytest.mark.parametrize("after", [1, 60, 200])
def test_what_was_shown_is_there_after_kill_9(url: str, task: Task, after: int) -> None:
    store = Store.open(url)
    add_run(store, task)
    store.close()
    child = start(writer(url, "k", 5_000))
    assert child.stdout is not None
    shown = {child.stdout.readline().strip() for _ in range(after)}

    os.kill(child.pid, signal.SIGKILL)
    rest, _ = child.communicate()
    complete = rest.rpartition("\n")[0].split()

    assert shown | set(complete) <= ids_in(url)


@pytest.mark.timeout(300)
def test_eight_writers_lose_nothing(url: str, task: Task) -> None:
    store = Store.open(url)
    add_run(store, task)
    store.close()

    children = [start(writer(url, f"w{n}", 250)) for n in range(8)]
    told = [child.communicate(timeout=250) for child in children]

    assert [child.returncode for child in children] == [0] * 8, told
    assert len(ids_in(url)) == 8 * 250


async def test_a_lock_held_by_another_loses_nothing(store: Store, url: str) -> None:
    other = Database.open(url)
    with other.write() as connection:
        if other.path is None:
            connection.exec_driver_sql("LOCK TABLE results")
        saving = asyncio.create_task(store.recorder.save(make_result("s1")))
        await asyncio.sleep(0.5)
        waits = not saving.done()

    await saving
    other.close()

    assert waits
    assert ids_in(url) == {"s1"}


def test_answers_that_find_no_room_are_spooled_and_taken_in_later(
    sqlite_url: str, task: Task, tmp_path: Path
) -> None:
    url = sqlite_url
    store = Store.open(url)
    add_run(store, task)
    store.close()

    child = start(writer(url, "f", 5_000, limit=400))  # blocks of 1,024 bytes
    shown, told = child.communicate(timeout=60)
    before = ids_in(url)
    Store.open(url).close()
    after = ids_in(url)

    assert child.returncode != 0
    assert "StoreError" in told and "answers kept in" in told
    assert set(shown.split()) <= before
    assert len(after) > len(before)
    assert not list(tmp_path.glob("*.spool.jsonl"))


async def test_a_write_that_goes_wrong_is_its_callers_alone(store: Store) -> None:
    wrong = store.recorder.call(lambda connection: {}["what nobody expected"])

    await store.recorder.save(make_result("s0"))

    with pytest.raises(KeyError):
        wrong.result()
    assert len(store.result_rows(RUN)) == 1


async def test_a_store_that_was_deleted_under_us_is_noticed(
    sqlite_url: str, task: Task, tmp_path: Path
) -> None:
    store = Store.open(sqlite_url)
    add_run(store, task)
    for path in tmp_path.glob("store.db*"):
        path.unlink()

    with pytest.raises(StoreError, match="moved or deleted"):
        await store.recorder.save(make_result("s1"))
    store.close()


async def test_parameters_are_not_in_error_texts(store: Store) -> None:
    orphan = make_result("s1", "PATIENT SECRET", run_id="no-such-run")

    with pytest.raises(StoreError) as caught:
        await store.recorder.save(orphan)

    assert "PATIENT SECRET" not in str(caught.value)
    assert "PATIENT SECRET" not in repr(caught.value.__cause__)
