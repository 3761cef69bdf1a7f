"""`demo`: the main job on the models in the box, offline."""

from typing import Any

from aistrale_lab.analysis.summary import compare_object
from aistrale_lab.analysis.compare_tables import speed_verdict, verdicts
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit
from aistrale_lab.cli.run import conduct
from aistrale_lab.cli.shipped import shipped
from aistrale_lab.cli.showing import open_lab
from aistrale_lab.domain.tasks import Task
from aistrale_lab.engine.datasets import load_dataset
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.terminal import note

PROMPT_SET = "skills.jsonl"
MODELS = (
    "embedded/small",
    "embedded/mini",
    "embedded/calculator",
    "embedded/constant",
)
QUESTIONS = 390
"""The first of the prompt set: 30 of each skill."""

ONE_BY_ONE: dict[str, Any] = {"concurrency": 2, "models_at_once": 1}
"""All models share one server: their times would be those of its queue."""


def demo(showing: Showing) -> Exit:
    """Put a prompt set to the models in the box, and say what to do next."""
    questions = load_dataset(shipped("datasets") / PROMPT_SET, limit=QUESTIONS)
    task = Task(dataset=questions, scorers=("exact",))
    if not showing.quiet:
        note(
            f"{QUESTIONS} questions of {PROMPT_SET} go to two small language models and "
            "two baselines in the box; no model was trained on them"
        )
    started: list[RunHandle[Experiment]] = []

    def start(lab: Lab) -> RunHandle[Experiment]:
        started.append(
            lab.start(task, models=list(MODELS), name="demo", fresh=True, **ONE_BY_ONE)
        )
        return started[0]

    code = conduct(start, showing)
    if not (code or showing.quiet or showing.json):
        _compare(started[0].experiment_id, showing)
        note(
            "next: aistrale run YOUR.jsonl -m openai/gpt-5-mini --scorer number; "
            "aistrale lab opens the notebooks"
        )
    return code


def _compare(experiment_id: str, showing: Showing) -> None:
    """Hold the first model against the second, in words."""
    with open_lab(showing) as lab:
        candidate, baseline = lab.experiment(experiment_id).runs[:2]
        found = compare_object(lab.compare(baseline, candidate))
    lines = [*verdicts(found), speed_verdict(found)]
    emit("".join(f"\n{line}" for line in lines) + "\n")
