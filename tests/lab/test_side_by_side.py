"""Runs side by side: which samples differ, and who is better on them."""

import pytest
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.analysis.side_by_side import SideBySide
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.lab.experiment import Experiment

BOTH = ["openai/small", "openai/large"]


@pytest.fixture
def experiment(bench: lab.Lab, task: Task) -> Experiment:
    return bench.start(task, BOTH).wait(30)


def ids(sides: SideBySide, kind: str, **among: str) -> list[str]:
    places = sides.find(kind, **among)  # type: ignore[arg-type]  # any word is tried
    return [str(sides.rows["sample_id"][place]) for place in places]


def test_every_filter_finds_its_samples(experiment: Experiment) -> None:
    sides = experiment.side_by_side()

    assert len(sides) == 20
    assert ids(sides, "differ") == ids(sides, "improvements")
    assert ids(sides, "improvements")[:2] == ["q2", "q3"]
    assert ids(sides, "regressions") == []
    assert sides.count() == {
        "all": 20,
        "differ": 19,
        "regressions": 0,
        "improvements": 19,
        "failed": 0,
    }
    assert (sides.verdict(0), sides.verdict(1)) == ("same", "better")


def test_the_first_run_named_is_the_baseline(experiment: Experiment) -> None:
    sides = experiment.side_by_side("openai/large", experiment.runs[0].id[:14])

    assert sides.names == ["openai/large", "openai/small"]
    assert sides.count()["regressions"] == 19
    assert sides.verdict(1) == "worse"


def test_search_and_group_narrow_the_samples(bench: lab.Lab) -> None:
    samples = tuple(
        Sample(
            id=f"q{n}", input=f"word {n}", target="1", group="odd" if n % 2 else None
        )
        for n in range(6)
    )
    task = Task(dataset=Dataset(name="six", samples=samples), scorers="exact")
    found = bench.start(task, ["embedded/echo", "embedded/calculator"]).wait(30)
    sides = found.side_by_side()

    assert sides.groups() == ["odd"]
    assert ids(sides, "all", group="odd") == ["q1", "q3", "q5"]
    assert ids(sides, "all", search="WORD 3") == ["q3"]
    assert ids(sides, "all", search="(") == []


def test_runs_of_different_experiments_stand_beside_each_other(
    bench: lab.Lab, task: Task, experiment: Experiment
) -> None:
    other = task.model_copy(update={"name": "other", "scorers": ()})
    second = bench.start(other, "openai/large").wait(30)

    sides = bench.side_by_side(experiment.runs[0].id, second.runs[0])

    assert sides.count()["differ"] == 19
    assert sides.count()["improvements"] == 0


async def test_a_run_that_stopped_or_failed_has_rows_without_answers(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    found = await bench.run(task, ["openai/large", "openai/absent"])

    sides = found.side_by_side()
    first, last = sides.opened(0), sides.opened(19)

    assert sides.count()["failed"] == 20
    assert first[1] is not None and first[1].error_type == "ModelNotFoundError"
    assert last[0] is not None and last[1] is None


def test_what_cannot_stand_side_by_side_is_refused(
    bench: lab.Lab, task: Task, experiment: Experiment
) -> None:
    fewer = Task(dataset=Dataset(name="few", samples=task.dataset.samples[:3]))
    other = bench.start(fewer, "openai/large").wait(30)
    first = experiment.runs[0].id

    with pytest.raises(ValidationError, match="they asked other datasets"):
        bench.side_by_side(first, other.runs[0].id)
    with pytest.raises(ValidationError, match="takes two runs or more"):
        bench.side_by_side(first)
    with pytest.raises(ValidationError, match="given twice"):
        bench.side_by_side(first, first)
    with pytest.raises(ValidationError, match="unknown filter 'odd'; filters: all"):
        ids(experiment.side_by_side(), "odd")
    with pytest.raises(ValidationError, match="unknown metric 'bleu'"):
        experiment.side_by_side(scorer="bleu")
    with pytest.raises(NotFoundError, match="no run 'openai/huge'.*openai/large"):
        experiment.side_by_side("openai/huge", "openai/small")
