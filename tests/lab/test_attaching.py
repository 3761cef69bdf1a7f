"""Coming back to a run: whoever executes it, and whatever became of that process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from servers.recorded import RecordedServer
from sqlalchemy import update

import aistrale_lab as lab
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import NotFoundError, StoreError
from aistrale_lab.store.reading import RUNS

T = TypeVar("T")

ELSEWHERE = """
import aistrale_lab as lab, sys
bench = lab.Lab.open(sys.argv[1])
task = lab.Task(dataset=lab.load_dataset(sys.argv[2]))
handle = bench.start(task, models=["openai/large"], concurrency=2)
print(handle.experiment_id, flush=True)
handle.wait()
bench.close()
"""


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "set.csv"
    path.write_text("input\n" + "".join(f"What is {n} + {n}?\n" for n in range(1, 21)))
    return path


def elsewhere(store_url: str, questions: Path) -> "subprocess.Popen[str]":
    """Another process that runs the questions and says the experiment's id."""
    return subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, store_url, str(questions)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_of_this_bench_gives_its_own_handle(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    server.delay = 30
    handle = bench.start(task, models="openai/large")

    attached = bench.attach(handle.experiment_id[:12])

    assert attached is handle
    assert attached.owner is None
    handle.cancel()
    handle.wait(10)


async def test_a_finished_run_gives_a_handle_that_is_done(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    experiment = await bench.run(task, models=["openai/large", "openai/absent"])

    handle = bench.attach(experiment.id)

    good, bad = handle.lanes
    assert handle.done()
    assert (await handle).id == experiment.id
    assert (good.skipped, good.done, good.status) == (20, 0, RunStatus.COMPLETED)
    assert (bad.failed, bad.status) == (experiment.runs[1].failed, RunStatus.FAILED)
    assert "ModelNotFoundError" in bad.recent[0]
    assert server.calls.total() == 20 + bad.failed


async def test_what_cannot_be_gone_on_with_is_left_as_it_was(
    bench: lab.Lab, task: lab.Task
) -> None:
    experiment = await bench.run(task, models=["openai/large", "openai/absent"])
    before = [(run.status, run.reason) for run in experiment.runs]
    elsewhere = {"host": "elsewhere", "pid": 1}
    held = update(RUNS).where(RUNS.c.id == experiment.runs[1].id)
    held = held.values(lease=elsewhere, lease_beat=time.time())
    bench.store.recorder.call(lambda c: c.execute(held)).result()

    with pytest.raises(StoreError, match="is being executed by process 1 on elsewhere"):
        bench.start_resume(experiment.id)

    assert [(run.status, run.reason) for run in experiment.runs] == before


def at_once(start: Callable[[], T], times: int = 8) -> list[T]:
    """What so many calls at the same time return."""
    together = threading.Barrier(times)

    def one(_: int) -> T:
        together.wait(30)
        return start()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_the_same_started_while_it_runs_is_joined_and_paid_once(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 30, 1

    first, *others = at_once(lambda: bench.start(task, models="openai/large"))
    assert server.reached.wait(30)
    again = bench.start(task, models="openai/large")
    resumed = bench.start_resume(first.experiment_id)
    first.cancel()
    first.wait(30)

    assert {*others, again, resumed} == {first}
    assert (len(bench.runs()), max(server.calls.values())) == (1, 1)


def test_a_run_that_is_resumed_eight_times_at_once_is_executed_once(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 30, 1
    stopped = bench.start(task, models="openai/large")
    assert server.reached.wait(30)
    stopped.cancel()
    stopped.wait(30)
    server.calls.clear()
    server.reached.clear()

    first, *others = at_once(lambda: bench.start_resume(stopped.experiment_id))
    assert server.reached.wait(30)
    first.cancel()
    first.wait(30)

    assert set(others) == {first}
    assert max(server.calls.values()) == 1


def test_a_run_of_another_process_is_followed_to_its_end(
    bench: lab.Lab, server: RecordedServer, store_url: str, questions: Path
) -> None:
    server.delay = 0.2
    with elsewhere(store_url, questions) as child:
        assert child.stdout is not None
        experiment_id = child.stdout.readline().strip()

        handle = bench.attach(experiment_id)

        assert handle.owner is not None and str(child.pid) in handle.owner
        experiment = handle.wait(60)
        child.communicate(timeout=20)
    (lane,) = handle.lanes
    assert experiment.complete
    assert lane.skipped + lane.done == lane.total == 20
    assert lane.status is RunStatus.COMPLETED
    assert server.calls.total() == 20


@pytest.mark.parametrize("kind", ["store_url", "postgres_url"])
def test_a_run_of_another_process_is_stopped_from_here(
    environment: None,
    server: RecordedServer,
    questions: Path,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue(kind)
    server.delay, server.notice_at = 0.2, 4
    words = ["run", str(questions), "-m", "openai/large", "--concurrency", "1"]
    command = [sys.executable, "-m", "aistrale_lab", *words, "--store", url]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child,
        lab.Lab.open(url) as bench,
    ):
        assert server.reached.wait(60)
        handle = bench.attach(bench.runs()[0].experiment_id)

        handle.cancel()
        experiment = handle.wait(60)
        _, said = child.communicate(timeout=60)
        sent = server.calls.total()
        complete = bench.start_resume(experiment.id).wait(60).complete
    (lane,) = handle.lanes
    assert (lane.status, lane.reason) == (RunStatus.INTERRUPTED, "stopped")
    assert 0 < lane.skipped + lane.done <= sent < 20
    assert (child.returncode, "stopped from elsewhere" in said) == (130, True)
    assert f"aistrale resume {experiment.id}" in said
    assert complete, "an old request stops nothing that is begun again"


def test_a_run_whose_process_was_killed_is_interrupted_and_can_be_resumed(
    bench: lab.Lab, server: RecordedServer, store_url: str, questions: Path
) -> None:
    server.delay = 0.1
    server.notice_at = 8
    with elsewhere(store_url, questions) as child:
        assert child.stdout is not None
        experiment_id = child.stdout.readline().strip()
        assert server.reached.wait(30)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=20)

    handle = bench.attach(experiment_id)
    (lane,) = handle.lanes

    assert handle.done() and handle.owner is None
    assert lane.status is RunStatus.INTERRUPTED
    assert lane.reason == "its process ended without a word"
    assert 0 < lane.skipped < 20
    assert bench.start_resume(experiment_id).wait(60).complete


def test_watching_ends_with_a_last_look_and_with_no_thread_left(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    seen: list[bool] = []
    last = threading.Event()
    server.delay = 0.02

    def look() -> None:
        seen.append(handle.done())
        if seen[-1]:
            last.set()

    handle = bench.start(task, models="openai/large", concurrency=2)
    handle.watch(look, every=0.01)
    handle.wait(30)

    assert last.wait(5)
    assert seen[:3] == [False] * 3
    assert seen.count(True) == 1
    bench.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("aistrale")]
    assert not [t for t in threading.enumerate() if t.name.startswith("asyncio")]


async def test_an_earlier_experiment_is_found_before_anything_is_sent(
    bench: lab.Lab, task: lab.Task, server: RecordedServer
) -> None:
    assert bench.find(task, "openai/large") is None
    experiment = await bench.run(task, models="openai/large")

    found = bench.find(task, "openai/large")

    assert found is not None and found.id == experiment.id
    assert bench.find(task, "openai/small") is None
    assert bench.find(task, "openai/large", name="other") is None


def test_attaching_to_nothing_is_not_found(bench: lab.Lab) -> None:
    with pytest.raises(NotFoundError):
        bench.attach("zzz")


async def test_the_endpoints_list_their_models_and_why_they_cannot(
    bench: lab.Lab, server: RecordedServer
) -> None:
    found = await bench.models()

    assert {"openai/large", "openai/small", "embedded/small"} <= set(found.models)
    assert "HF_TOKEN is not set" in found.missing["huggingface"]
