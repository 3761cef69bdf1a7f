"""Watching the clocks: late timers grant time, a blocked loop is noticed."""

import asyncio
import time

import pytest

from aistrale_lab.engine.watch import LAG_THRESHOLD, Deadline, LagWatch


async def test_a_call_that_ends_in_time_meets_no_deadline() -> None:
    async with Deadline(total=5, stall=5) as deadline:
        await asyncio.sleep(0)

    assert deadline.reason == ""


async def test_tokens_that_keep_coming_are_no_stall() -> None:
    async with Deadline(total=5, stall=0.2) as deadline:
        for _ in range(5):
            deadline.alive_at = time.perf_counter()
            await asyncio.sleep(0.08)

    assert deadline.reason == ""


async def test_a_process_that_was_stopped_gets_the_time_back() -> None:
    async with Deadline(total=0.5, stall=0.5) as deadline:
        deadline.alive_at = time.perf_counter()
        time.sleep(2)  # as SIGSTOP does: the loop could read nothing meanwhile
        await asyncio.sleep(0.1)

    assert deadline.reason == ""


async def test_cancelling_the_caller_is_no_timeout() -> None:
    async def call() -> None:
        async with Deadline(total=5, stall=5):
            await asyncio.sleep(3600)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_blocked_loop_is_noticed() -> None:
    watch = LagWatch()
    watch.start()
    began = time.perf_counter()
    await asyncio.sleep(0.06)
    calm = not watch.lagged_since(began)

    time.sleep(4 * LAG_THRESHOLD)
    await asyncio.sleep(0.06)
    watch.stop()

    assert calm
    assert watch.lagged_since(began)
