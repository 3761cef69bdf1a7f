"""The rules of the skills: right answers, and no question on both sides."""

from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from aistrale_lab.embedded.training.questions import PER_SKILL, SEED, as_jsonl
from aistrale_lab.embedded.training.skills import (
    HELD_OUT,
    SKILLS,
    Question,
    held_out_questions,
    training_questions,
)
from aistrale_lab.embedded.training.words import CAPITALS

DATASETS = Path(__file__).parents[3] / "datasets"
DRAWN = 40_000


@pytest.fixture(scope="module")
def trained_on() -> list[Question]:
    questions = training_questions(Random(3), dict.fromkeys(SKILLS, 1.0))
    return list(islice(questions, DRAWN))


@pytest.fixture(scope="module")
def held_out() -> list[Question]:
    return held_out_questions(PER_SKILL, SEED)


def test_no_question_is_both_trained_on_and_held_out(
    trained_on: list[Question], held_out: list[Question]
) -> None:
    kept = {(question.skill, question.about) for question in held_out}

    assert not any((one.skill, one.about) in kept for one in trained_on)
    assert not {one.text for one in trained_on} & {one.text for one in held_out}


def test_one_question_in_eight_is_held_out() -> None:
    random = Random(4)
    drawn = [make(random) for make in SKILLS.values() for _ in range(2_000)]

    share = sum(question.is_held_out for question in drawn) / len(drawn)

    assert share == pytest.approx(1 / HELD_OUT, abs=0.01)


def test_a_sum_is_held_out_in_both_orders_and_wordings() -> None:
    random = Random(5)
    sums: dict[frozenset[str], set[bool]] = {}
    for _ in range(20_000):
        question = SKILLS["add_1"](random)
        words = question.text.rstrip(".").replace("?", "").split()
        terms = frozenset(word for word in words if word.strip(".").isdigit())
        sums.setdefault(terms, set()).add(question.is_held_out)

    assert all(len(sides) == 1 for terms, sides in sums.items() if len(terms) == 2)


def test_every_capital_was_asked_for_in_training(trained_on: list[Question]) -> None:
    asked = {one.answer for one in trained_on if one.skill == "capitals"}

    assert asked == {city for _, city in CAPITALS}


def test_the_answers_are_right(held_out: list[Question]) -> None:
    checked: Counter[str] = Counter()
    for question in held_out:
        words = question.text.replace(",", "").replace("?", ".").split(". Give")[0]
        tokens = words.rstrip(".").split()
        numbers = [int(word) for word in tokens if word.isdigit()]
        expected = _answer(question.skill, tokens, numbers)
        if expected is not None:
            assert question.answer == expected, question
            checked[question.skill] += 1

    assert checked == dict.fromkeys(checked, PER_SKILL)
    assert set(SKILLS) - set(checked) == {"capitals", "sentiment"}


def _answer(skill: str, words: list[str], numbers: list[int]) -> str | None:
    """The answer worked out from the question's text, by other means."""
    if skill.startswith("add"):
        return str(sum(numbers))
    if skill.startswith("sub"):
        return str(abs(numbers[0] - numbers[1]))
    if skill in ("compare", "largest"):
        return str(min(numbers) if "smaller" in words else max(numbers))
    if skill == "count_letters":
        after = words[words.index("letter") + 1]
        return str(words[-1].count(after))
    if skill in ("capitals", "sentiment"):
        return None
    known = "Write Change Reverse Sort the word letters of to in capital alphabetical"
    (word,) = (one for one in words if one not in f"{known} backwards order".split())
    made = {
        "reverse": word[::-1],
        "upper": word.upper(),
        "sort_letters": "".join(sorted(word)),
    }
    return made.get(skill)


def test_the_prompt_set_is_what_the_rules_make() -> None:
    assert (DATASETS / "skills.jsonl").read_text("utf-8") == as_jsonl()
