"""The weights in the box are as good as their card says."""

import asyncio
from pathlib import Path

import pytest

from aistrale_lab.embedded.language import WEIGHTS
from aistrale_lab.embedded.training.figures import Right, measured, table
from aistrale_lab.embedded.training.questions import PER_SKILL
from aistrale_lab.embedded.training.skills import SKILLS

pytestmark = pytest.mark.xdist_group("figures")


@pytest.fixture(scope="module")
def found() -> dict[str, Right]:
    return asyncio.run(measured())


def share(right: Right, *skills: str) -> float:
    verdicts = [verdict for skill in skills for verdict in right[skill]]
    return sum(verdicts) / len(verdicts)


def test_every_skill_has_its_questions(found: dict[str, Right]) -> None:
    for right in found.values():
        assert {skill: len(right[skill]) for skill in SKILLS} == dict.fromkeys(
            SKILLS, PER_SKILL
        )


def test_the_models_reach_what_they_were_made_for(found: dict[str, Right]) -> None:
    assert share(found["small"], *SKILLS) >= 0.82
    assert share(found["small"], "add_2") >= 0.97
    assert share(found["mini"], *SKILLS) >= 0.70


def test_the_card_tells_the_figures_of_the_weights(found: dict[str, Right]) -> None:
    card = Path(WEIGHTS / "README.md").read_text("utf-8")

    assert table(found) in card
