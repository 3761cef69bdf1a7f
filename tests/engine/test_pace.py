"""Pacing: asked waits, and calls in flight that thin out."""

import asyncio

import pytest

from aistrale_lab.domain.chat import RateLimits
from aistrale_lab.engine.pace import LaneEnded, Pace, Parked


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_no_more_calls_are_in_flight_than_the_concurrency() -> None:
    pace = Pace(concurrency=2)
    over = asyncio.Event()
    await pace.acquire(0, over)
    await pace.acquire(0, over)
    third = asyncio.create_task(pace.acquire(0, over))
    await asyncio.sleep(0)
    waiting = not third.done()

    pace.release()
    await third

    assert waiting
    assert pace.in_flight == 2


async def test_a_rate_limit_halves_the_calls_in_flight_and_success_restores_them() -> (
    None
):
    pace = Pace(concurrency=8)

    pace.refused(0.0)
    halved = pace.allowed
    for _ in range(60):
        pace.succeeded()

    assert halved == 4
    assert pace.allowed == 8


async def test_many_refusals_at_once_count_as_one() -> None:
    pace = Pace(concurrency=16)

    for _ in range(16):
        pace.refused(1.0)

    assert pace.allowed == 8
    assert 0.9 < pace.rate_limited <= 1.0


async def test_a_wait_beyond_the_longest_parks_the_lane() -> None:
    pace = Pace(concurrency=4, longest_wait=120)

    with pytest.raises(Parked, match="asks to wait 3600 s"):
        pace.refused(3600.0)


async def test_headers_that_say_nothing_remains_hold_the_lane_until_the_reset() -> None:
    clock = Clock()
    pace = Pace(concurrency=4, clock=clock)

    pace.learn(RateLimits(remaining_requests=0, reset_requests=1.5))
    held = pace.rate_limited
    clock.now += 2

    assert held == pytest.approx(1.5)
    assert pace.rate_limited == 0


async def test_a_waiting_call_gives_up_when_the_lane_ends() -> None:
    pace = Pace(concurrency=1)
    over = asyncio.Event()
    await pace.acquire(0, over)
    waiting = [asyncio.create_task(pace.acquire(0, over)) for _ in range(3)]
    await asyncio.sleep(0)

    over.set()
    pace.release()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(error, LaneEnded) for error in ended)
    assert pace.in_flight == 0


async def test_a_cancelled_waiter_passes_its_turn_on() -> None:
    pace = Pace(concurrency=1)
    over = asyncio.Event()
    await pace.acquire(0, over)
    first = asyncio.create_task(pace.acquire(0, over))
    second = asyncio.create_task(pace.acquire(0, over))
    await asyncio.sleep(0)

    pace.release()
    first.cancel()
    await asyncio.wait_for(second, timeout=1)

    assert pace.in_flight == 1
