"""Experiments carried from store to store: everything once, the newest outcome."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, update

from aistrale_lab.domain.runs import (
    Attempt,
    RunStatus,
    SampleScore,
    Score,
)
from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.store import leases
from aistrale_lab.store.exchange import PAGE, export_lines, list_experiments
from aistrale_lab.store.exchange_lines import NOT_CARRIED
from aistrale_lab.store.merging import Merged
from aistrale_lab.store.receiving import Merger, merge
from aistrale_lab.store.results import Store
from aistrale_lab.store.tables import all_tables
from aistrale_lab.store.visibility import Viewer
from tests.store.conftest import EXPERIMENT, RUN, add_run, make_failure, make_result

NOTHING = Merged()
T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

CARRIED = (
    *("datasets", "samples", "dataset_samples", "experiments"),
    *("runs", "results", "attempts", "scores"),
)


@pytest.fixture
def other(url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A second store, with nothing in it: of the other kind than the first."""
    kind = "postgres_url" if url.startswith("sqlite") else "sqlite_url"
    store = Store.open(request.getfixturevalue(kind))
    yield store
    store.close()


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


async def fill(store: Store) -> None:
    """An answer with its score, a failure, an answer after a failed attempt."""
    attempt = Attempt(
        number=1,
        started_at=later(2),
        duration=0.1,
        error_type="ServerError",
        error="no \0 luck",
        status=500,
        wire=b"half an answer",
    )
    answers = [
        make_result("s0", text="4 \ud800 \u4f60\u597d", started_at=later(1)),
        make_failure("s1").model_copy(update={"started_at": later(1)}),
        make_result("s2", attempts=2, failed_attempts=(attempt,), started_at=later(3)),
    ]
    for found in answers:
        await store.recorder.save(found)
    await store.recorder.save_scores(RUN, [score("s0", 1.0), score("s2", 0.0)])


def score(sample_id: str, value: float, scorer: str = "number") -> SampleScore:
    return SampleScore(
        sample_id=sample_id, epoch=1, scorer=scorer, score=Score(value=value)
    )


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All that is carried of a store, in an order of its own."""
    tables: dict[str, Table] = {table.name: table for table in all_tables()}
    found = {}
    for name in CARRIED:
        left_out = ("lease", "lease_beat", *({"id"} & set(NOT_CARRIED.get(name, ()))))
        rows = [
            {
                column: (
                    value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
                )
                for column, value in row._asdict().items()
                if column not in left_out
            }
            for row in store.read(tables[name].select())
        ]
        found[name] = sorted(rows, key=lambda row: json.dumps(row, default=str))
    return found


async def test_everything_arrives_as_it_was(store: Store, other: Store) -> None:
    await fill(store)
    store.begin_run(RUN)
    store.end_run(RUN, RunStatus.INTERRUPTED, "stopped")

    merged = merge(other, export_lines(store, EXPERIMENT))

    assert content(other) == content(store)
    assert merged == Merged(
        datasets=1, experiments=1, runs=1, results=3, attempts=1, scores=2
    )
    assert other.load_task(EXPERIMENT) == store.load_task(EXPERIMENT)


async def test_a_second_merge_inserts_nothing(store: Store, other: Store) -> None:
    await fill(store)
    merge(other, export_lines(store, EXPERIMENT))
    before = content(other)

    again = merge(other, export_lines(store, EXPERIMENT))
    back = merge(store, export_lines(other, EXPERIMENT))

    assert again == back == NOTHING
    assert content(other) == content(store) == before


async def test_a_newer_outcome_replaces_the_older_as_a_resume_does(
    store: Store, other: Store
) -> None:
    await store.recorder.save(make_failure("s0").model_copy(update=at(1)))
    merge(other, export_lines(store, EXPERIMENT))
    await store.recorder.save(make_result("s0", **at(9)))

    merged = merge(other, export_lines(store, EXPERIMENT))
    stale = merge(store, export_lines(other, EXPERIMENT))

    assert merged == Merged(replaced=1, attempts=1)
    assert stale == NOTHING
    assert content(other) == content(store)
    [row] = other.result_rows(RUN)
    assert (row.output, row.attempts, row.error_type) == ("4", 2, None)


async def test_an_older_outcome_stays_among_the_attempts(
    store: Store, other: Store
) -> None:
    merge(other, export_lines(store, EXPERIMENT))
    await store.recorder.save(make_failure("s0").model_copy(update=at(1)))
    await other.recorder.save(make_result("s0", **at(5)))

    merged = merge(other, export_lines(store, EXPERIMENT))
    again = merge(other, export_lines(store, EXPERIMENT))

    assert (merged, again) == (Merged(attempts=1), NOTHING)
    [row] = other.result_rows(RUN)
    assert (row.output, row.attempts) == ("4", 2)
    [attempt] = content(other)["attempts"]
    assert attempt["error_type"] == "ServerError"


async def test_what_both_sides_did_apart_is_joined(store: Store, other: Store) -> None:
    """Either way round both have the newer outcome, and the older as an attempt."""
    merge(other, export_lines(store, EXPERIMENT))
    await store.recorder.save(make_failure("s0").model_copy(update=at(1)))
    await store.recorder.save(make_result("s1", **at(1)))
    await other.recorder.save(make_result("s0", text="5", **at(5)))
    await other.recorder.save_scores(RUN, [score("s0", 0.0)])
    await other.recorder.save(make_result("s2", **at(2)))

    merge(store, export_lines(other, EXPERIMENT))
    merge(other, export_lines(store, EXPERIMENT))

    assert content(other) == content(store)
    assert len(content(store)["results"]) == 3
    assert len(content(store)["attempts"]) == 1


async def test_scores_come_with_the_answer_that_they_judge(
    store: Store, other: Store
) -> None:
    await fill(store)
    merge(other, export_lines(store, EXPERIMENT))
    await store.recorder.save_scores(RUN, [score("s0", 0.5), score("s2", 1.0, "exact")])

    merged = merge(other, export_lines(store, EXPERIMENT))

    assert merged == Merged(scores=2)
    assert content(other) == content(store)


async def test_the_score_of_a_replaced_answer_goes(store: Store, other: Store) -> None:
    await store.recorder.save(make_result("s0", **at(1)))
    merge(other, export_lines(store, EXPERIMENT))
    await store.recorder.save(make_result("s0", text="5", **at(2)))
    await other.recorder.save_scores(RUN, [score("s0", 1.0)])

    merge(other, export_lines(store, EXPERIMENT))

    assert content(other)["scores"] == []


async def test_a_run_is_carried_as_it_stands_and_again_when_it_has_ended(
    store: Store, other: Store
) -> None:
    store.begin_run(RUN)
    await store.recorder.save(make_result("s0"))
    merge(other, export_lines(store, EXPERIMENT))
    running = other.get_run(RUN)
    await store.recorder.save(make_result("s1"))
    store.end_run(RUN, RunStatus.INTERRUPTED, "stopped")

    merged = merge(other, export_lines(store, EXPERIMENT))

    assert (running.status, running.completed) == (RunStatus.RUNNING, 1)
    assert merged == Merged(results=1)
    assert content(other) == content(store)
    assert other.owner_of([RUN]) is None


def test_an_older_state_does_not_undo_a_newer(store: Store, other: Store) -> None:
    store.begin_run(RUN)
    store.end_run(RUN, RunStatus.INTERRUPTED, "stopped")
    early = list(export_lines(store, EXPERIMENT))
    store.begin_run(RUN)
    again = list(export_lines(store, EXPERIMENT))
    store.end_run(RUN, RunStatus.COMPLETED, None)
    merge(other, export_lines(store, EXPERIMENT))

    for lines in (early, again):
        merge(other, lines)

    assert other.get_run(RUN).status is RunStatus.COMPLETED
    assert content(other) == content(store)


def test_a_copy_learns_that_a_run_has_died_and_that_it_goes_on(
    store: Store, other: Store
) -> None:
    running = update(leases.RUNS).values(status=RunStatus.RUNNING)
    killed = running.values(lease={"host": "elsewhere"}, lease_beat=1e9)
    store.recorder.call(lambda c: c.execute(running)).result()
    merge(other, export_lines(store, EXPERIMENT))
    store.recorder.call(lambda c: c.execute(killed)).result()

    merge(other, export_lines(store, EXPERIMENT))

    run = other.get_run(RUN)
    assert (run.status, run.reason) == (RunStatus.INTERRUPTED, leases.DIED)
    store.begin_run(RUN)
    merge(other, export_lines(store, EXPERIMENT))
    assert other.get_run(RUN).status is RunStatus.RUNNING


def test_a_run_that_is_executed_here_keeps_its_state(
    store: Store, other: Store
) -> None:
    merge(other, export_lines(store, EXPERIMENT))
    store.begin_run(RUN)
    store.end_run(RUN, RunStatus.FAILED, "no success")
    other.begin_run(RUN)

    merge(other, export_lines(store, EXPERIMENT))

    assert other.get_run(RUN).status is RunStatus.RUNNING
    assert other.read(leases.RUNS.select())[0].lease is not None


async def test_a_stream_that_broke_off_is_told_and_made_again(
    store: Store, other: Store
) -> None:
    await fill(store)
    store.begin_run(RUN)
    store.end_run(RUN, RunStatus.COMPLETED, None)
    lines = list(export_lines(store, EXPERIMENT))

    with pytest.raises(ValidationError, match="broke off after line"):
        merge(other, lines[:-2])
    with pytest.raises(ValidationError, match="broke off after line"):
        merge(other, [*lines[:-2], lines[-1]])
    halfway = other.get_run(RUN).status
    merge(other, lines)

    assert halfway is RunStatus.PENDING
    assert content(other) == content(store)


async def test_a_later_reading_begins_where_the_scores_end(store: Store) -> None:
    await store.recorder.save(make_result("s0"))
    await store.recorder.save_scores(RUN, [score("s0", 1.0)])
    await store.recorder.save(make_result("s1"))
    await store.recorder.save(make_failure("s2"))
    first = [json.loads(line) for line in export_lines(store, EXPERIMENT)]

    after = first[-1]["next"]
    second = [json.loads(line) for line in export_lines(store, EXPERIMENT, after=after)]

    assert [line["kind"] for line in second] == [
        *("aistrale", "experiment", "run", "result", "result", "end")
    ]
    assert [line["sample_id"] for line in second if line["kind"] == "result"] == [
        *("s1", "s2")
    ]
    assert (second[-1]["all_results"], second[-1]["all_scores"]) == (3, 1)


@pytest.mark.parametrize("merged", [False, True])
async def test_what_replaced_the_last_row_is_in_a_later_reading(
    store: Store, other: Store, merged: bool
) -> None:
    failed = make_failure("s0").model_copy(update={"started_at": later(1)})
    await store.recorder.save(failed)
    merge(other, export_lines(store, EXPERIMENT))
    read = other if merged else store
    *_, end = export_lines(read, EXPERIMENT)

    await store.recorder.save(make_result("s0", started_at=later(2)))
    merge(other, export_lines(store, EXPERIMENT))
    again = export_lines(read, EXPERIMENT, after=json.loads(end)["next"])

    assert json.loads(list(again)[-1])["results"] == 1


async def test_later_lines_join_the_samples_that_are_there(
    store: Store, other: Store
) -> None:
    first = list(export_lines(store, EXPERIMENT))
    await store.recorder.save(make_result("s0"))
    rest = list(export_lines(store, EXPERIMENT, after=0))
    with pytest.raises(NotFoundError, match="no dataset"):
        merge(other, rest)

    merged = merge(other, first) + merge(other, rest)

    assert merged == Merged(datasets=1, experiments=1, runs=1, results=1)


async def test_many_results_come_in_groups(store: Store, other: Store) -> None:
    many = [make_result(f"s{n % 10}", epoch=n) for n in range(1, 2 * PAGE + 5)]
    await asyncio.gather(*map(store.recorder.save, many))

    merged = merge(other, export_lines(store, EXPERIMENT))

    assert merged.results == len(many)
    assert content(other) == content(store)


def changed(kind: str, /, **fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["kind"] == kind:
                line.update(fields)

    return change


def without(kind: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        lines[:] = [line for line in lines if line["kind"] != kind]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("aistrale"), "no place for a 'dataset'"),
        (changed("aistrale", version=9), "form 9"),
        (without("experiment"), "no experiment came"),
        (without("sample"), "not those that were asked"),
        (changed("sample", input="other"), "not those of the fingerprint"),
        (changed("experiment", task={"epochs": "?"}), "task is none"),
        (changed("experiment", id="../../etc"), "line 13, experiment: id"),
        (changed("run", id="run00000000009"), "no run 'run00000000001'"),
        (changed("run", experiment_id="exp00000000009"), "of another experiment"),
        (changed("run", config={"temperature": "hot"}), "no GenerateConfig"),
        (changed("run", price={"input_mtok": -1}), "no Price"),
        (changed("run", status="weird"), "run: status"),
        (changed("result", sample_id="s99"), "no sample 's99'"),
        (changed("result", cost_usd="much"), "cost_usd"),
        (changed("result", epoch=0), "epoch"),
        (changed("result", input_tokens=2**40), "input_tokens"),
        (changed("result", started_at="2026-01-01"), "started_at"),
        (changed("result", finish_reason="bored"), "finish_reason"),
        (changed("result", surprise=1), "surprise"),
        (changed("result", kind="mystery"), "no line of an experiment"),
    ],
)
async def test_lines_that_lie_are_refused_in_words(
    store: Store, other: Store, change: Any, said: str
) -> None:
    await store.recorder.save(make_result("s0"))
    lines = [json.loads(line) for line in export_lines(store, EXPERIMENT)]
    change(lines)
    merger = Merger(other, Viewer(user_id="ann", admin=False))

    with pytest.raises(ValidationError, match=said):
        merger.feed(map(json.dumps, lines))

    assert content(other)["results"] == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"kind": {}}', '{"kind": "run", "x": NaN}', "[" * 99_999],
)
def test_what_is_no_line_is_refused(other: Store, text: str) -> None:
    with pytest.raises(ValidationError, match="line 1 is no line of an experiment"):
        merge(other, [text])


async def test_ids_of_something_else_are_not_overwritten(
    store: Store, other: Store, task: Task
) -> None:
    await store.recorder.save(make_result("s0"))
    lines = [json.loads(line) for line in export_lines(store, EXPERIMENT)]
    add_run(other, task)
    changed("experiment", identity="another")(lines)
    with pytest.raises(ValidationError, match="another experiment has the id"):
        merge(other, map(json.dumps, lines))
    changed("experiment", id="exp00000000002", identity="same")(lines)
    changed("run", experiment_id="exp00000000002")(lines)

    with pytest.raises(ValidationError, match=f"run {RUN}"):
        merge(other, map(json.dumps, lines))

    assert list_experiments(other) == [EXPERIMENT]
    assert other.result_rows(RUN) == []


def at(seconds: float) -> dict[str, Any]:
    return {"started_at": later(seconds)}
