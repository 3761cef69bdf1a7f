"""`python -m aistrale_lab.embedded.training.figures [FOLDER]`: the model card's table.

Accuracy on the held-out questions, by the weights in the box and numpy alone.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from scipy.stats import binomtest

from aistrale_lab.embedded.generation import Generation
from aistrale_lab.embedded.language import NAMES, WEIGHTS, LanguageModel
from aistrale_lab.embedded.models import Sampling
from aistrale_lab.embedded.training.questions import PER_SKILL, SEED
from aistrale_lab.embedded.training.skills import SKILLS, Question, held_out_questions

TOGETHER = 50

LONGEST = 32
"""Tokens after which an answer is wrong in any case."""

Right = dict[str, list[bool]]
"""Whether each question of a skill was answered right."""


async def answered(model: LanguageModel, questions: Iterable[Question]) -> Right:
    """Which questions a model answers word for word, greedily."""
    places = asyncio.Semaphore(TOGETHER)

    async def is_right(question: Question) -> bool:
        async with places:
            tokens = model.answer([("user", question.text)], Sampling())
            said = await Generation(tokens, limit=LONGEST).whole()
        return said.text == question.answer

    questions = list(questions)
    verdicts = await asyncio.gather(*map(is_right, questions))
    right: Right = {name: [] for name in SKILLS}
    for question, verdict in zip(questions, verdicts, strict=True):
        right[question.skill].append(verdict)
    return right


def table(found: dict[str, Right]) -> str:
    """Markdown: a line for each skill, a column for each model."""
    lines = ["| skill | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for skill in SKILLS:
        cells = [_shown(right[skill]) for right in found.values()]
        lines.append(f"| {skill} | " + " | ".join(cells) + " |")
    overall = [_shown(sum(right.values(), [])) for right in found.values()]
    lines.append("| **all** | " + " | ".join(overall) + " |")
    return "\n".join(lines)


async def measured(folder: Path = WEIGHTS) -> dict[str, Right]:
    """What each model of a folder gets right of all held-out questions."""
    questions = held_out_questions(PER_SKILL, SEED)
    return {
        name: await answered(LanguageModel.load(name, folder), questions)
        for name in NAMES
    }


def _shown(right: list[bool]) -> str:
    """Share and Wilson's interval (1927), in percent."""
    share = sum(right) / len(right)
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return f"{share:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


if __name__ == "__main__":
    print(table(asyncio.run(measured(*map(Path, sys.argv[1:])))))
