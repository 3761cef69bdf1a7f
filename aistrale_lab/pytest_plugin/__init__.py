"""A pytest plugin: a test of a model asserts a statistical claim, not a string.

::

    @pytest.mark.aistrale(dataset="questions.jsonl", scorer="number", limit=200)
    def test_the_new_prompt_is_no_worse(aistrale):
        aistrale.run(["openai/gpt-5-mini", "openai/gpt-5-nano"])

        aistrale.claim("number >= 0.8", model="openai/gpt-5-nano")
        aistrale.claim_difference("number >= -0.02")

A claim holds if the whole 95 % interval lies there, so that a test neither fails nor
passes by a lucky sample. Nothing heavy is loaded before the fixture is used.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aistrale_lab.analysis.compare import Comparison
    from aistrale_lab.domain.tasks import Task
    from aistrale_lab.lab.bench import Lab
    from aistrale_lab.lab.experiment import Experiment
    from aistrale_lab.store.records import RunRecord

MARKER = (
    "aistrale(dataset, models, scorer, limit, prompt, **options): what "
    "`aistrale.run()` asks unless it is told otherwise; options are those of `Lab.run`"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where answers are kept, and whether to pay for them again."""
    group = parser.getgroup("aistrale")
    group.addoption(
        "--aistrale-store",
        metavar="URL",
        help="keep answers there: a test that asks the same again sends nothing "
        "(default: a store that lives as long as the test)",
    )
    group.addoption(
        "--aistrale-fresh", action="store_true", help="send everything again"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and with nbval the claims of notebooks."""
    config.addinivalue_line("markers", MARKER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With nbval: a test for each `# LAB_CHECK` of a cell, right after the cell.

    What such a cell prints is not compared: the claim stands in its place.
    """
    if "nbval.plugin" not in sys.modules:
        return
    from aistrale_lab.pytest_plugin.notebooks import insert_checks

    insert_checks(items)


@pytest.fixture
def aistrale(request: pytest.FixtureRequest) -> "Iterator[ModelTest]":
    """Runs prompt sets across models, and asserts claims about them."""
    from aistrale_lab.lab.bench import Lab

    url = request.config.getoption("--aistrale-store")
    if url is None:
        folder = request.getfixturevalue("tmp_path")
        url = f"sqlite:///{folder / 'aistrale.db'}"
    marker = request.node.get_closest_marker("aistrale")
    asked = dict(marker.kwargs) if marker else {}
    fresh = bool(request.config.getoption("--aistrale-fresh"))
    with Lab.open(url) as bench:
        yield ModelTest(bench, asked, name=request.node.nodeid, fresh=fresh)


class ModelTest:
    """One test's experiment, and what is claimed of it."""

    def __init__(
        self, bench: "Lab", asked: dict[str, Any], *, name: str, fresh: bool
    ) -> None:
        self.bench = bench
        self._asked = asked
        self._name = name
        self._fresh = fresh
        self._experiment: Experiment | None = None

    @property
    def experiment(self) -> "Experiment":
        """What `run` has made."""
        if self._experiment is None:
            self.run()
        assert self._experiment is not None
        return self._experiment

    def run(
        self,
        models: Sequence[str] | str | None = None,
        *,
        task: "Task | None" = None,
        **options: Any,
    ) -> "Experiment":
        """Ask models; what is not given is taken from the marker.

        The first model is the baseline of `claim_difference`. Fails the test if a call
        failed: a claim about the rest would be about other samples.
        """
        from aistrale_lab.engine.thread import wait

        asked = dict(self._asked)
        chosen = models or asked.pop("models", None)
        if chosen is None:
            pytest.fail("no models: aistrale.run([...]) or the marker names them")
        task = task or _task(asked)
        rest = {k: v for k, v in asked.items() if k not in _TASK_FIELDS | {"models"}}
        plain = {"name": self._name, "fresh": self._fresh}
        made = wait(self.bench.run, task, models=chosen, **{**plain, **rest, **options})
        self._experiment = made
        for run in made.runs:
            if run.failed or run.completed < run.planned:
                told = run.reason or f"{run.failed} of {run.planned} samples failed"
                pytest.fail(f"{run.model} did not complete: {told}", pytrace=False)
        return made

    def claim(self, gate: str, *, model: str | None = None) -> None:
        """Assert that a metric's whole interval lies there, as in `exact >= 0.8`.

        Of the run of that model, or of every run.
        """
        from aistrale_lab.errors import NotFoundError
        from aistrale_lab.lab.claims import Claim

        claim = Claim.parse(gate)
        claim = claim.model_copy(update={"model": model or claim.model})
        try:
            faults = claim.faults(self.experiment)
        except NotFoundError as error:
            pytest.fail(error.message, pytrace=False)
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)

    def claim_difference(
        self, gate: str, *, baseline: str | None = None, candidate: str | None = None
    ) -> "Comparison":
        """Assert that the candidate's paired difference lies there, as in `exact > 0`.

        Baseline and candidate are the first and the last model unless named. Returns
        the comparison.
        """
        from aistrale_lab.analysis.gates import Gate

        wanted = Gate.parse(gate)
        runs = self.experiment.runs
        before = self._run_of(baseline) if baseline else runs[0]
        after = self._run_of(candidate) if candidate else runs[-1]
        if before.id == after.id:
            pytest.fail("a difference needs two models")
        found = self.bench.compare(before, after)
        if not wanted.is_met(found):
            paired = found.metric(wanted.metric).paired
            pytest.fail(
                f"{wanted} does not hold for {after.model} against {before.model}: "
                f"difference {paired.difference} [{paired.low}, {paired.high}] "
                f"({paired.method}, {paired.n} pairs, {paired.wins} won, "
                f"{paired.losses} lost)",
                pytrace=False,
            )
        return found

    def _run_of(self, model: str) -> "RunRecord":
        for run in self.experiment.runs:
            if run.model == model:
                return run
        pytest.fail(f"{model} was not asked")


_TASK_FIELDS = {"dataset", "scorer", "limit", "prompt"}


def _task(asked: dict[str, Any]) -> "Task":
    """The task that a marker describes."""
    from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Task
    from aistrale_lab.engine.datasets import load_dataset

    if "dataset" not in asked:
        pytest.fail("no dataset: aistrale.run(task=...) or the marker names one")
    dataset = asked["dataset"]
    if not isinstance(dataset, Dataset):
        dataset = load_dataset(dataset, limit=asked.get("limit"))
    scorers = asked.get("scorer", ())
    return Task(
        dataset=dataset,
        prompt=PromptTemplate.of(asked.get("prompt", "{{ input }}")),
        scorers=(scorers,) if isinstance(scorers, str) else tuple(scorers),
    )
