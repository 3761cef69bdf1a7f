"""The engine's thread and the synchronous door."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from aistrale_lab.engine.thread import EngineThread, wait


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_the_door_works_without_a_running_loop() -> None:
    assert wait(double, 21) == 42


async def test_the_door_works_inside_a_running_loop() -> None:
    assert wait(double, number=21) == 42


def test_the_door_raises_what_the_coroutine_raised() -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        wait(fails)


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()

    wait(double, 1)
    engine = EngineThread()
    engine.wait(double(2))
    engine.close()

    assert threading.active_count() == before


def test_closing_cancels_what_still_runs() -> None:
    ended = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    engine = EngineThread()
    engine.submit(endless())
    engine.wait(double(1))

    engine.close()

    assert ended.is_set()


INTERRUPTED = """
import asyncio, sys
from aistrale_lab.engine.thread import wait

async def endless():
    print("ready", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.05)
        print("cleaned up", flush=True)

try:
    wait(endless)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


TORN = """
import os, signal, threading
release = threading.Condition._release_save

def release_and_interrupt(condition):
    saved = release(condition)
    if armed and threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGINT)
    return saved

threading.Condition._release_save = release_and_interrupt
armed = False

def arm(*said, **how):
    global armed
    armed = True
    print(*said, **how)
"""


@pytest.mark.parametrize(
    "script",
    [INTERRUPTED, TORN + INTERRUPTED.replace('print("ready"', 'arm("ready"')],
    ids=["at any moment", "between the steps of a condition"],
)
def test_an_interrupt_cancels_waits_for_the_clean_up_and_rises(script: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()

    os.kill(child.pid, signal.SIGINT)
    said, _ = child.communicate(timeout=20)

    assert said.split("\n")[:2] == ["cleaned up", "interrupted"]
