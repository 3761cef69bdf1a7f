"""Stopping early: which answers are looked at, in which order, and what is sent."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.stopping import StoppingRule

MODELS = ["openai/worse", "openai/better"]


def make_task(n: int, *, group: int | None = None, **changes: object) -> Task:
    samples = tuple(
        Sample(
            id=f"q{place}",
            input=f"question {place}",
            target="yes",
            group=None if group is None else f"g{place // group}",
        )
        for place in range(n)
    )
    plain = {"scorers": ("exact",), **changes}
    return Task(dataset=Dataset(name="many", samples=samples), **plain)


class Watched:
    """A rule, and what it said."""

    def __init__(self, task: Task, seed: str = "e1") -> None:
        self.ended: list[str] = []
        self.warned: list[str] = []
        self.rule = StoppingRule(
            task, ["a", "b"], end=self.ended.append, warn=self.warned.append, seed=seed
        )

    def feed(self, samples: list[Sample], before: float, after: float) -> None:
        for sample in samples:
            self.rule.observe("a", sample.id, before)
            self.rule.observe("b", sample.id, after)


def test_the_order_is_random_but_the_same_for_the_same_experiment() -> None:
    task = make_task(50)

    orders = [
        [sample.id for sample in Watched(task, seed).rule.order]
        for seed in ("e1", "e1", "e2")
    ]

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(sample.id for sample in task.dataset)
    assert orders[0] != [sample.id for sample in task.dataset]


def test_a_clear_difference_is_decided_once() -> None:
    watched = Watched(make_task(200))

    watched.feed(list(watched.rule.order), 0.0, 1.0)

    (reason,) = watched.ended
    assert reason.startswith("decided: the difference is within [+")
    assert "95 % confidence sequence" in reason


def test_answers_are_looked_at_in_the_order_of_sending() -> None:
    watched = Watched(make_task(200))
    first, *others = watched.rule.order

    watched.feed(others, 0.0, 1.0)
    before = list(watched.ended)
    watched.feed([first], 0.0, 1.0)

    assert before == []
    assert len(watched.ended) == 1


def test_samples_that_failed_hold_nothing_up() -> None:
    watched = Watched(make_task(200))
    failed, *others = watched.rule.order

    watched.rule.observe("a", failed.id, None)
    watched.rule.observe("b", failed.id, 1.0)
    watched.feed(others, 0.0, 1.0)

    assert len(watched.ended) == 1


def test_a_group_is_one_observation() -> None:
    grouped = Watched(make_task(200, group=50))

    grouped.feed(list(grouped.rule.order), 0.0, 1.0)

    assert not any(reason.startswith("decided") for reason in grouped.ended)


def test_what_cannot_be_decided_any_more_is_given_up() -> None:
    watched = Watched(make_task(60))
    random = Random(3)

    for sample in watched.rule.order:
        watched.feed([sample], *random.choice(((0.0, 1.0), (1.0, 0.0))))

    (reason,) = watched.ended
    assert reason.startswith("futile: what remains cannot decide it")


def test_scores_that_are_no_shares_end_the_rule_not_the_run() -> None:
    watched = Watched(make_task(200))

    watched.feed(list(watched.rule.order), 0.0, 17.0)

    assert watched.ended == []
    assert len(watched.warned) == 1
    assert "outside [-1, 1]" in watched.warned[0]


@pytest.fixture
def server() -> Iterator[RecordedServer]:
    """`better` is always right, `worse` never."""
    answers = {}
    for place in range(400):
        answers["better", f"question {place}"] = "yes"
        answers["worse", f"question {place}"] = "no"
    with RecordedServer(answers) as server:
        yield server


async def test_a_decided_run_sends_no_more_and_says_why(bench: lab.Lab) -> None:
    experiment = await bench.run(
        make_task(400), models=MODELS, stop_when="decided", concurrency=4
    )

    assert len(experiment.results_df()) < 200
    for run in experiment.runs:
        assert run.status is RunStatus.INTERRUPTED
        assert (run.reason or "").startswith("decided: ")


async def test_a_decided_run_is_not_paid_again(
    bench: lab.Lab, server: RecordedServer
) -> None:
    task = make_task(400)
    first = await bench.run(task, models=MODELS, stop_when="decided", concurrency=4)
    sent = len(first.results_df())

    again = await bench.run(task, models=MODELS, stop_when="decided", concurrency=4)

    assert again.id == first.id
    assert len(again.results_df()) == sent


async def test_a_decided_run_can_be_completed(bench: lab.Lab) -> None:
    task = make_task(400)
    await bench.run(task, models=MODELS, stop_when="decided", concurrency=4)

    whole = await bench.run(task, models=MODELS, concurrency=4)

    assert whole.complete
    assert len(whole.results_df()) == 800


@pytest.mark.parametrize(
    ("models", "changes", "told"),
    [
        (MODELS[:1], {}, "compares two runs, not 1"),
        (MODELS, {"scorers": ()}, "needs a scorer"),
        (MODELS, {"epochs": 2}, "needs epochs=1"),
    ],
)
async def test_what_cannot_be_decided_is_refused_before_anything_is_sent(
    bench: lab.Lab,
    server: RecordedServer,
    tmp_path: Path,
    models: list[str],
    changes: dict[str, object],
    told: str,
) -> None:
    with pytest.raises(ValidationError, match=told):
        await bench.run(make_task(9, **changes), models=models, stop_when="decided")

    assert not bench.runs()
