"""`demo`: the main job on the models in the box, offline."""

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.output import note
from aistrale_lab.cli.run import conduct
from aistrale_lab.cli.shipped import shipped
from aistrale_lab.cli.showing import Showing
from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Sample, Task
from aistrale_lab.engine.datasets import load_dataset

PROMPT_SET = "arithmetic.jsonl"
MODELS = (
    "embedded/calculator",
    "embedded/nearest",
    "embedded/majority",
    "embedded/echo",
)
SHOTS = 20
"""Samples that are shown to the models as examples, and not asked."""


def demo(showing: Showing) -> Exit:
    """Put a prompt set to the baselines in the box, and say what to do next."""
    questions = load_dataset(shipped("datasets") / PROMPT_SET)
    task = make_task(questions)
    if not showing.quiet:
        note(
            f"{len(task.dataset)} questions of {PROMPT_SET} go to {len(MODELS)} baseline "
            f"models in the box, with {SHOTS} others as examples"
        )
    code = conduct(
        lambda lab: lab.start(task, models=list(MODELS), name="demo", fresh=True),
        showing,
    )
    if not (code or showing.quiet or showing.json):
        note(
            "next: aistrale run YOUR.jsonl -m openai/gpt-5-mini --scorer number; "
            "aistrale lab opens the notebooks"
        )
    return code


def make_task(questions: Dataset) -> Task:
    """The first samples are shown as few-shot turns, the others are asked."""
    shown, asked = questions.samples[:SHOTS], questions.samples[SHOTS:]
    shots = tuple(turn for sample in shown for turn in _turns(sample))
    return Task(
        dataset=Dataset(name=questions.name, samples=asked),
        prompt=PromptTemplate(shots=shots),
        scorers=("number",),
    )


def _turns(sample: Sample) -> tuple[Message, Message]:
    return (
        Message(role="user", content=sample.input_text),
        Message(role="assistant", content=sample.require_target()),
    )
