"""The store as the lab uses it: experiments, runs, tasks, leases and ids."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import NotFoundError, StoreError
from aistrale_lab.store import datasets
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.exchange import export_lines
from aistrale_lab.store.experiments import (
    list_experiments,
    seen_experiment,
    seen_run,
)
from aistrale_lab.store.leases import DIED, RUNS
from aistrale_lab.store.listing import page_of_experiments
from aistrale_lab.store.records import new_id
from aistrale_lab.store.results import Store
from aistrale_lab.store.sign_ins import SignIns
from aistrale_lab.store.visibility import Viewer
from tests.store.conftest import EXPERIMENT, RUN, add_run, make_failure, make_result


def test_a_task_comes_back_as_it_was(url: str) -> None:
    conversation = (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello"),
        Message(role="user", content="2 + 2?"),
    )
    samples = (
        Sample(id="a", input=conversation, target="4", metadata={"level": [1, 2]}),
        Sample(id="b", input="3?", group="odd"),
    )
    task = Task(
        dataset=Dataset(name="mixed", samples=samples),
        prompt="Q: {{ input }}",
        epochs=2,
        sweep={"temperature": (0, 0.7)},
    )
    store = Store.open(url)
    add_run(store, task)

    found = store.load_task(EXPERIMENT)
    store.close()

    assert found == task
    assert found.fingerprint == task.fingerprint


async def test_what_is_not_sent_again_depends_on_the_error(store: Store) -> None:
    await store.recorder.save(make_result("s0"))
    await store.recorder.save(make_failure("s1", transient=True))
    await store.recorder.save(make_failure("s2", transient=False))

    transient = store.finished_keys(RUN, retry="transient")
    failed = store.finished_keys(RUN, retry="failed")

    assert transient == {("s0", 1), ("s2", 1)}
    assert failed == {("s0", 1)}


async def test_a_run_counts_its_rows(store: Store) -> None:
    await store.recorder.save(make_result("s0"))
    await store.recorder.save(make_failure("s1"))

    run = store.get_run(RUN)

    assert (run.planned, run.completed, run.failed) == (10, 1, 1)
    assert run.model == "openai/small"
    assert run.status is RunStatus.PENDING


def test_ids_may_be_shortened_while_they_are_clear(store: Store) -> None:
    assert store.get_run("run").id == RUN
    assert store.get_experiment("exp000").id == EXPERIMENT
    assert [run.id for run in store.runs_matching("exp")] == [RUN]


@pytest.mark.parametrize(
    "which", ["zzz", "%", "_", "' OR 1=1--", "1); drop table runs;--", "\0", "r_n"]
)
def test_ids_that_are_none_are_not_found(store: Store, which: str) -> None:
    with pytest.raises(NotFoundError):
        store.runs_matching(which)

    assert store.get_run(RUN).id == RUN


def test_what_holds_nul_is_looked_for_and_stored_as_other_text_is(
    store: Store,
) -> None:
    viewer = Viewer(user_id="\0", admin=False)
    odd = Sample(id="\0", input="\0", target="\0", metadata={"\0": "\0"}, group="\0")
    dataset = Dataset(name="\0", samples=(odd, Sample(id="2", input="2?")))

    store.recorder.call(lambda c: datasets.add(c, dataset)).result()

    assert [one.input for one in store.load_dataset(dataset.fingerprint)] == [
        "\ufffd",
        "2?",
    ]
    assert list_experiments(store, viewer, search="\0").found == 0
    begun = page_of_experiments(store, viewer, begins="\0", cursor=None, limit=1)
    assert begun == ([], None)
    for seen in (seen_experiment, seen_run):
        with pytest.raises(NotFoundError):
            seen(store, viewer, "a\0")
    assert SignIns(store).begin("\0", "here") == 0.0
    assert Accounts(store).find("\0") is None


def test_new_ids_are_short_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(1_000)]

    assert len(set(ids)) == 1_000
    assert {len(name) for name in ids} == {14}
    assert sorted(name[:7] for name in ids) == [name[:7] for name in ids]


def lease(store: Store, **changes: Any) -> None:
    """Put somebody else's lease on the run."""
    mine = {"host": os.uname().nodename, "pid": os.getpid(), "started": "1"}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    row = {**mine, "boot": boot, **changes}
    beat = row.pop("beat", 9e9)
    statement = update(RUNS).values(lease=row, lease_beat=beat)
    store.recorder.call(lambda c: c.execute(statement)).result()


@pytest.fixture
def parent_started() -> Iterator[str]:
    status = Path(f"/proc/{os.getppid()}/stat").read_text()
    yield status.rpartition(")")[2].split()[19]


def test_a_living_process_keeps_its_lease(store: Store, parent_started: str) -> None:
    lease(store, pid=os.getppid(), started=parent_started)

    with pytest.raises(StoreError, match=f"executed by process {os.getppid()} on"):
        store.begin_run(RUN)


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": 4_000_000},
        {"pid": 1, "started": "not its start time"},
        {"boot": "before the restart"},
        {"host": "elsewhere", "beat": 0.0},
    ],
    ids=["dead", "another process of that id", "restarted", "silent elsewhere"],
)
def test_a_lease_of_nobody_is_taken_over_at_once(
    store: Store, changes: dict[str, Any]
) -> None:
    lease(store, **changes)

    store.begin_run(RUN)

    assert store.get_run(RUN).status is RunStatus.RUNNING


def standings(store: Store) -> list[tuple[str, str | None]]:
    """The state and its reason as records, pages and other stores get them."""
    run = store.get_run(RUN)
    (entry,) = list_experiments(store, Viewer(user_id="", admin=True)).entries
    lines = map(json.loads, export_lines(store, EXPERIMENT))
    (line,) = (line for line in lines if line["kind"] == "run")
    states = (run.status.value, entry.status.value, line["status"])
    return list(zip(states, (run.reason, run.reason, line["reason"]), strict=True))


@pytest.mark.parametrize(
    "changes", [{"pid": 4_000_000}, {"host": "elsewhere", "beat": 0.0}]
)
def test_a_run_whose_process_died_was_interrupted_at_its_last_sign(
    store: Store, changes: dict[str, Any]
) -> None:
    store.begin_run(RUN)
    lease(store, **{"beat": 1e9, **changes})

    told = standings(store)

    assert told == [("interrupted", DIED)] * 3
    ended = store.get_run(RUN).finished_at
    assert ended is not None and ended.timestamp() == changes.get("beat", 1e9)


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, None], ids=str)
def test_a_run_of_a_living_process_or_of_none_that_is_known_runs(
    store: Store, changes: dict[str, Any] | None
) -> None:
    store.begin_run(RUN)
    if changes is None:
        store.recorder.release(RUN)
    else:
        lease(store, **changes)

    assert standings(store) == [("running", None)] * 3


def test_another_hosts_living_lease_is_respected(store: Store) -> None:
    lease(store, host="elsewhere")

    with pytest.raises(StoreError, match="on elsewhere"):
        store.begin_run(RUN)


def test_the_lease_is_given_back_at_the_end(store: Store) -> None:
    store.begin_run(RUN)

    store.end_run(RUN, RunStatus.INTERRUPTED, "stopped")

    assert store.read(RUNS.select())[0].lease is None
    assert store.get_run(RUN).reason == "stopped"
