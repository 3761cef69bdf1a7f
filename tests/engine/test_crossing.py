"""Work on the engine's loop, waited for from other loops."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from aistrale_lab.engine.crossing import Crossing, Doorway
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ConnectionFailedError, LabError

Say = Callable[[int], None]


@pytest.fixture
def engine() -> Iterator[EngineThread]:
    engine = EngineThread()
    yield engine
    engine.close()


@pytest.fixture
def crossing(engine: EngineThread) -> Crossing:
    return Crossing(engine)


async def test_the_outcome_comes_back_and_what_was_said_was_heard_in_order(
    crossing: Crossing,
) -> None:
    heard: list[int] = []
    threads: set[str] = set()

    async def work(say: Say) -> str:
        threads.add(threading.current_thread().name)
        for number in range(1_000):
            say(number)
        return "done"

    assert await crossing.run(work, heard.append) == "done"
    assert heard == list(range(1_000))
    assert threads == {"aistrale-engine"}


async def test_an_error_of_the_work_is_raised_to_the_one_who_waits(
    crossing: Crossing,
) -> None:
    async def work(say: Say) -> None:
        raise LabError("no")

    with pytest.raises(LabError, match="^no$"):
        await crossing.run(work)


async def test_who_leaves_cancels_the_work_which_cleans_up(crossing: Crossing) -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def work(say: Say) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    waiting = asyncio.create_task(crossing.run(work))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cleaned.wait, 10)


async def test_work_that_was_closed_under_a_caller_is_an_error_not_a_cancellation(
    crossing: Crossing, engine: EngineThread
) -> None:
    begun = threading.Event()

    async def work(say: Say) -> None:
        begun.set()
        await asyncio.sleep(60)

    waiting = asyncio.create_task(crossing.run(work))
    assert await asyncio.to_thread(begun.wait, 10)
    await asyncio.to_thread(engine.wait, crossing.close())

    with pytest.raises(ConnectionFailedError, match="closed before"):
        await waiting


def test_callers_on_many_loops_each_get_their_own(crossing: Crossing) -> None:
    found: dict[int, int] = {}

    async def work(say: Say, number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def ask_many(first: int) -> None:
        numbers = range(first, first + 100)
        answers = await asyncio.gather(
            *(crossing.run(lambda say, n=n: work(say, n)) for n in numbers)
        )
        found.update(zip(numbers, answers, strict=True))

    threads = [
        threading.Thread(target=asyncio.run, args=(ask_many(100 * n),))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert found == {number: number for number in range(400)}


def test_a_caller_whose_loop_is_gone_harms_nobody(
    crossing: Crossing, engine: EngineThread
) -> None:
    go = threading.Event()
    ended = threading.Event()

    async def work(say: Say) -> None:
        await asyncio.to_thread(go.wait, 10)
        say(1)
        ended.set()

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(crossing.run(work))
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    loop.close()
    go.set()

    assert ended.wait(10)
    assert not waiting.done()
    engine.wait(crossing.close())


async def test_a_burst_of_calls_wakes_the_loop_once() -> None:
    class Counted:
        """The running loop, whose wake-ups are counted."""

        wakings = 0

        def call_soon_threadsafe(self, function: Callable[[], None]) -> None:
            self.wakings += 1
            loop.call_soon_threadsafe(function)

    loop, counted = asyncio.get_running_loop(), Counted()
    doorway = Doorway(counted)  # type: ignore[arg-type]  # all that it uses of a loop
    heard: list[int] = []

    for number in range(100):
        doorway.call(heard.append, number)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert heard == list(range(100))
    assert counted.wakings == 1
