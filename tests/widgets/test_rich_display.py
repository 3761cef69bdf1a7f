"""What IPython shows of our values: short, useful, and nothing that runs."""

from typing import Any

from IPython.core.formatters import DisplayFormatter
from servers.markup import SCRIPTS, Markup, check_inert

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Sample, Task


def shown(value: Any) -> Markup:
    """What a notebook would show, checked to be inert and small."""
    bundle, _ = DisplayFormatter().format(value)  # type: ignore[no-untyped-call]
    assert len(bundle["text/html"]) < 20_000
    return check_inert(bundle["text/html"])


def hostile() -> Task:
    """A task whose every text is a payload."""
    samples = tuple(Sample(id=p, input=p, target=p, group=p) for p in SCRIPTS)
    return Task(
        dataset=Dataset(name=SCRIPTS[0], samples=samples),
        prompt=PromptTemplate(user=SCRIPTS[1], system=SCRIPTS[2]),
        scorers=("exact",),
        name=SCRIPTS[4],
    )


def test_a_dataset_shows_what_it_holds(task: Task) -> None:
    text = shown(task.dataset).text

    assert "Dataset doubles" in text
    assert "20" in text and "the first 5" in text
    assert "What is 5 + 5?" in text and "What is 6 + 6?" not in text


def test_a_task_shows_what_is_asked_and_how_often(task: Task) -> None:
    swept = task.model_copy(update={"sweep": {"temperature": (0, 1)}, "epochs": 3})

    text = shown(swept).text

    assert "temperature=[0, 1]" in text
    assert "calls for each model120" in text.replace("\n", "")


async def test_an_experiment_and_a_run_show_how_far_they_came(
    bench: lab.Lab, task: Task
) -> None:
    experiment = await bench.run(task, ["openai/large", "openai/absent"])

    whole, run = shown(experiment).text, shown(experiment.runs[1]).text

    assert "1 completed, 1 failed" in whole
    assert "100.0 %" in whole and "ModelNotFoundError" in whole
    assert "Run openai/absent" in run and "0 of 20" in run


async def test_payloads_are_text_in_every_one_of_them(bench: lab.Lab) -> None:
    task = hostile()
    experiment = await bench.run(task, "embedded/echo")

    for value in (task, task.dataset, experiment, *experiment.runs):
        shown(value)
    assert SCRIPTS[4] in shown(experiment).text
