"""Shared limits: one row, drawn on by several stores, whose pace is kept together."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from aistrale_lab.engine.pace import LaneEnded, Pace
from aistrale_lab.lab.options import Quota, RunOptions
from aistrale_lab.lab.rates import SharedRate, make_pace, where_of
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.store import rates
from aistrale_lab.store.results import Store

RPM = 600
INTERVAL = 60 / RPM
BURST = RPM / 60

ROOT = Path(__file__).parents[2]
DRAWER = """
import sys
from aistrale_lab.store import rates
from aistrale_lab.store.results import Store

def turn(connection):
    rates.take(connection, "k", units=1, per_minute=600)
    due = connection.exec_driver_sql("SELECT due FROM rates WHERE key = 'k'")
    return due.scalar_one()

store = Store.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    print(store.recorder.call(turn).result())
store.close()
"""


def take(store: Store, units: float = 1, key: str = "k") -> float:
    taken = store.recorder.call(
        lambda c: rates.take(c, key, units=units, per_minute=RPM)
    )
    return taken.result()


def turn_after_take(connection: Connection) -> float:
    """Take a unit; returns when the next one is due, which is this one's place."""
    rates.take(connection, "k", units=1, per_minute=RPM)
    due = connection.exec_driver_sql("SELECT due FROM rates WHERE key = 'k'")
    return float(due.scalar_one())


def test_a_seconds_worth_goes_at_once_and_then_one_each_interval(
    store: Store,
) -> None:
    """In one transaction, so that next to no time passes, and that is allowed for."""

    def draw(connection: Connection) -> tuple[list[float], float]:
        begin = time.monotonic()
        waits = [
            rates.take(connection, "k", units=1, per_minute=RPM) for _ in range(15)
        ]
        return waits, time.monotonic() - begin

    waits, passed = store.recorder.call(draw).result()

    exact = [max(0.0, (n - BURST) * INTERVAL) for n in range(1, 16)]
    slack = 0.002  # SQLite's clock counts milliseconds
    assert waits[: int(BURST)] == [0.0] * int(BURST)
    for wait, most in zip(waits, exact, strict=True):
        assert max(0.0, most - passed - slack) <= wait <= most + slack


def test_what_was_not_used_is_given_back(store: Store) -> None:
    for _ in range(20):
        take(store)
    waited = take(store)

    take(store, -10)

    assert take(store) < waited - 8 * INTERVAL


def test_limits_of_other_keys_are_apart(store: Store) -> None:
    for _ in range(50):
        take(store)

    assert take(store, key="another") == 0.0


def test_two_stores_share_one_pace(store: Store, url: str) -> None:
    """Two stores over one database, as two kernels have them, from several threads."""
    begin = threading.Barrier(8)

    def draw(which: Store) -> list[float]:
        begin.wait()
        return [which.recorder.call(turn_after_take).result() for _ in range(5)]

    other = Store.open(url)
    try:
        with ThreadPoolExecutor(8) as threads:
            turns = [*threads.map(draw, [store, other] * 4)]
    finally:
        other.close()

    assert_nobody_has_anothers([turn for own in turns for turn in own], 40)


@pytest.mark.timeout(300)
def test_processes_share_one_pace(store: Store, url: str) -> None:
    words = [sys.executable, "-c", DRAWER, url]
    children = [
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(3)
    ]
    pipes = [(child.stdin, child.stdout) for child in children]
    ready = [read.readline() for _, read in pipes if read]
    for write, _ in pipes:
        if write:
            write.write("go\n")
            write.flush()
    told = "".join(child.communicate(timeout=200)[0] for child in children)

    assert ready == ["ready\n"] * 3
    assert [child.returncode for child in children] == [0] * 3
    assert_nobody_has_anothers([float(turn) for turn in told.split()], 150)


def assert_nobody_has_anothers(turns: list[float], number: int) -> None:
    """Each has a place of its own, and none is nearer to the next than allowed."""
    gaps = [later - earlier for earlier, later in pairwise(sorted(turns))]

    assert len(turns) == number
    assert min(gaps) > INTERVAL - 1e-5


async def test_a_call_and_its_tokens_wait_for_the_scarcer_of_both(
    store: Store,
) -> None:
    shared = SharedRate(store.recorder, [Quota(name="here", rpm=RPM, tpm=60)])

    first = await shared.reserve(30)
    second = await shared.reserve(30)
    shared.settle(-55)
    third = await asyncio.wait_for(shared.reserve(1), 10)

    assert first == 0.0
    assert second == pytest.approx(30, abs=1)
    assert third < 7


async def test_who_goes_slowly_by_choice_slows_nobody_else(store: Store) -> None:
    limited = Endpoint(provider="openai", kind="openai", rpm=RPM)
    slow = make_pace(limited, "m", RunOptions(rpm=1), store.recorder)
    plain = make_pace(limited, "m", RunOptions(), store.recorder)
    over = asyncio.Event()

    await slow.acquire(0, over)
    waiting = asyncio.ensure_future(slow.acquire(0, over))
    for _ in range(3):
        await asyncio.wait_for(plain.acquire(0, over), 30)

    assert not waiting.done()
    over.set()
    with pytest.raises(LaneEnded):
        await waiting


async def test_the_same_choice_within_another_quota_is_another_limit(
    store: Store,
) -> None:
    endpoint = Endpoint(provider="openai", kind="openai")
    over = asyncio.Event()
    for name in ("ann", "bob"):
        options = RunOptions(rpm=1, quota=Quota(name=name))
        pace = make_pace(endpoint, "m", options, store.recorder)
        await asyncio.wait_for(pace.acquire(0, over), 30)

    due = store.read(text("SELECT key FROM rates"))
    assert sorted(key.split(":", 1)[1] for (key,) in due) == [
        *("ann:1:calls", "bob:1:calls")
    ]


@pytest.mark.parametrize("how", ["ended", "cancelled", "cancelled at once"])
async def test_a_turn_that_is_not_used_is_given_back(store: Store, how: str) -> None:
    def ahead() -> float:
        return store.recorder.call(
            lambda c: rates.take(c, "ours:calls", units=0, per_minute=1)
        ).result()

    quota = Quota(name="ours", rpm=1)
    pace = Pace(concurrency=9, shared=SharedRate(store.recorder, [quota]))
    over = asyncio.Event()
    await pace.acquire(0, over)

    waiting = [asyncio.ensure_future(pace.acquire(0, over)) for _ in range(8)]
    while how != "cancelled at once" and ahead() < 500:
        await asyncio.sleep(0.01)
    over.set()
    if how != "ended":
        for one in waiting:
            one.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    expected = LaneEnded if how == "ended" else asyncio.CancelledError
    assert {type(one) for one in ended} == {expected}
    assert pace.in_flight == 1
    while ahead() > 60:
        await asyncio.sleep(0.01)
    assert ahead() > 0, "the first turn was used"


def test_the_name_of_a_limit_tells_no_key() -> None:
    def named(key: str, model: str = "m") -> str:
        endpoint = Endpoint(
            provider="openai", kind="openai", base_url="http://here", key=key
        )
        return where_of(endpoint, model)

    assert named("sk-1") == named("sk-1")
    assert len({named("sk-1"), named("sk-2"), named("sk-1", "n")}) == 3
    assert "sk-1" not in named("sk-1")


def test_a_limit_that_refuses_takes_nothing(store: Store) -> None:
    def draw(units: float) -> float:
        return store.recorder.call(
            lambda c: rates.try_take(c, "u", units=units, per_minute=60)
        ).result()

    taken = [draw(20) for _ in range(3)]
    refused = [draw(20), draw(20)]
    small = draw(1)

    assert taken == [0.0] * 3, "a minute's worth goes at once"
    assert all(15 < wait <= 20 for wait in refused)
    assert small <= 1, "the refused ones have taken nothing"


def test_a_limit_grants_more_than_a_minute_of_it_if_it_was_not_used(
    store: Store,
) -> None:
    def draw(units: float) -> float:
        return store.recorder.call(
            lambda c: rates.try_take(c, "u", units=units, per_minute=60)
        ).result()

    assert draw(90) == 0.0
    assert 25 < draw(1) <= 31, "until no more than 59 of the 90 seconds are left"
