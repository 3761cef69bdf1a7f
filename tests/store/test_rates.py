"""Shared limits: one row, drawn on by several stores, whose pace is kept together."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aistrale_lab.lab.rates import SharedRate, where_of
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.store import rates
from aistrale_lab.store.results import Store

RPM = 600
INTERVAL = 60 / RPM
BURST = RPM / 60


def take(store: Store, units: float = 1, key: str = "k") -> float:
    taken = store.recorder.call(
        lambda c: rates.take(c, key, units=units, per_minute=RPM)
    )
    return taken.result()


def test_a_seconds_worth_goes_at_once_and_then_one_each_interval(
    store: Store,
) -> None:
    waits = [take(store) for _ in range(15)]

    assert waits[: int(BURST)] == [0.0] * int(BURST)
    assert waits[-1] == pytest.approx(5 * INTERVAL, abs=0.5 * INTERVAL + 0.05)
    assert waits == sorted(waits)


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


def test_two_processes_share_one_pace(store: Store, url: str) -> None:
    """Two stores over one file, as two kernels have them, from several threads."""
    begin = threading.Barrier(8)

    def draw(which: Store) -> list[float]:
        begin.wait()
        return [take(which) for _ in range(5)]

    other = Store.open(url)
    try:
        with ThreadPoolExecutor(8) as threads:
            waits = [*threads.map(draw, [store, other] * 4)]
    finally:
        other.close()

    last = sorted(wait for own in waits for wait in own)
    late = [n * INTERVAL for n in range(1, 40 - int(BURST) + 1)]
    assert last[: int(BURST)] == [0.0] * int(BURST)
    assert last[-1] == pytest.approx(late[-1], abs=0.6)
    assert len({round(wait, 6) for wait in last}) > 30, "nobody has another's turn"


async def test_a_call_and_its_tokens_wait_for_the_scarcer_of_both(
    store: Store,
) -> None:
    shared = SharedRate(store.recorder, "here", rpm=RPM, tpm=60)

    first = await shared.reserve(30)
    second = await shared.reserve(30)
    shared.settle(-55)
    third = await asyncio.wait_for(shared.reserve(1), 10)

    assert first == 0.0
    assert second == pytest.approx(30, abs=1)
    assert third < 7


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
