"""A view of a dataset with very many groups: a small payload, and each is found."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, insert, select

from aistrale_lab.domain.chat import Completion, FinishReason, GenerateConfig
from aistrale_lab.domain.runs import RunSpec, RunStatus, SampleResult, Timing
from aistrale_lab.domain.tasks import Dataset, ModelRef, Sample, Task
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.store.datasets import MEMBERS
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS, write_results
from aistrale_lab.widgets.compare_view import CompareView
from aistrale_lab.widgets.group_choice import offered_groups
from aistrale_lab.widgets.results_table import ResultsTable

pytestmark = pytest.mark.xdist_group("many groups")

GROUPS = 100_000
SMALL = 50_000
RUNS = ("run00000000000", "run00000000001")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """Every sample is a group of its own, with a name as long as they are in life."""
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('groups')}/store.db")
    samples = tuple(
        Sample(id=f"q{n}", input="Say it.", group=f"a group of one sample: {n:06}")
        for n in range(GROUPS)
    )
    store.add_experiment(
        experiment_id="exp00000000001",
        name="groups",
        identity="groups",
        task=Task(dataset=Dataset(name="groups", samples=samples)),
        runs=[make_run(run_id) for run_id in RUNS],
        provenance={},
        tags={},
    )
    firsts = [make_result(run_id, "q0") for run_id in RUNS]
    store.recorder.call(lambda to: write_results(to, firsts)).result()
    store.recorder.call(lambda to: answer_all_alike(to, RUNS[0])).result()
    for run_id in RUNS:
        store.end_run(run_id, RunStatus.COMPLETED, None)
    yield Experiment(store, "exp00000000001")
    store.close()


def make_run(run_id: str) -> RunSpec:
    return RunSpec(
        run_id=run_id,
        experiment_id="exp00000000001",
        model=ModelRef.parse(f"openai/{run_id}"),
        config=GenerateConfig(),
    )


def make_result(run_id: str, sample_id: str) -> SampleResult:
    return SampleResult(
        run_id=run_id,
        sample_id=sample_id,
        epoch=1,
        completion=Completion(text="It.", finish_reason=FinishReason.STOP),
        timing=Timing(duration=0.5),
        attempts=1,
        started_at=datetime.now(UTC),
    )


def answer_all_alike(connection: Connection, run_id: str) -> None:
    """The one result of a run again, for every other sample."""
    same = [one for one in RESULTS.c if one.name not in ("id", "sample_id")]
    others = select(MEMBERS.c.sample_id, *same).where(
        RESULTS.c.run_id == run_id, MEMBERS.c.sample_id != RESULTS.c.sample_id
    )
    into = ["sample_id", *(one.name for one in same)]
    connection.execute(insert(RESULTS).from_select(into, others))


@pytest.mark.parametrize("kind", [ResultsTable, CompareView])
def test_the_first_payload_stays_small_and_the_search_finds_every_group(
    kind: type[ResultsTable] | type[CompareView], experiment: Experiment
) -> None:
    view = kind(experiment)
    first = len(json.dumps(view.state))
    act = "query" if kind is ResultsTable else "filter"
    others = {} if kind is ResultsTable else {"kind": "all"}

    view.act({"act": act, "search": "sample: 099999", **others})

    offered = view.state["groups"]
    assert first < SMALL
    assert len(offered) == 200
    assert offered[0] == ["a group of one sample: 000000"] * 2
    assert view.state["more_groups"] == "and 99,800 more groups: search for them"
    assert "q99999" in json.dumps(view.state)
    assert view.state["said"].startswith("1 ")
    view.act({"act": act, "search": "", "group": offered[7][0], **others})
    assert view.state["said"].startswith("1 ")


def test_names_as_long_as_books_are_not_offered() -> None:
    groups = [f"{n} {'long' * 1_000}" for n in range(50)]

    offered = offered_groups(groups, len(groups))

    assert 0 < len(offered["groups"]) < 10
    assert len(json.dumps(offered)) < SMALL / 2
    assert offered["groups"][0][0] == groups[0]
    assert len(offered["groups"][0][1]) < 130


def test_few_groups_are_all_offered() -> None:
    assert offered_groups(["even", "odd"], 2) == {
        "groups": [["even", "even"], ["odd", "odd"]],
        "more_groups": "",
    }
