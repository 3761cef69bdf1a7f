"""`python -m aistrale_lab.embedded.training.questions FILE`: the held-out questions."""

import json
import sys
from pathlib import Path

from aistrale_lab.embedded.training.skills import held_out_questions

SEED = 1
PER_SKILL = 150


def as_jsonl() -> str:
    """The prompt set of held-out questions, a line each, in turns of the skills."""
    counts: dict[str, int] = {}
    lines = []
    for question in held_out_questions(PER_SKILL, SEED):
        counts[question.skill] = counts.get(question.skill, 0) + 1
        sample = {
            "id": f"{question.skill}-{counts[question.skill]}",
            "input": question.text,
            "target": question.answer,
            "group": question.skill,
        }
        lines.append(json.dumps(sample) + "\n")
    return "".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(as_jsonl(), "utf-8")
