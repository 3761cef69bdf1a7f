"""The `number` scorer, on numbers as models write them and on real answers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.domain.chat import Completion, FinishReason
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import ValidationError
from aistrale_lab.scorers.base import make_scorer
from aistrale_lab.scorers.number import last_number

RIGHT = {
    "6b_finetuning": 286,
    "6b_verification": 515,
    "175b_finetuning": 458,
    "175b_verification": 742,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18),
        ("She makes 9 * 2 = $<<9*2=18>>18 every day.\n#### 18", 18),
        ("#### 1,218", 1218),
        ("It costs $1,234,567.89.", 1234567.89),
        ("The answer is 18.", 18),
        ("A: 18!", 18),
        ("**42**", 42),
        ("-7", -7),
        ("\u22127", -7),
        ("$-7", -7),
        ("-$7", -7),
        ("+7", 7),
        ("16 - 3", 3),
        ("16-3", 3),
        ("f(2)-3", 3),
        ("covid-19", 19),
        ("- 5 apples", 5),
        ("3/4", 0.75),
        ("1 1/2 cups", 1.5),
        ("-1 1/2", -1.5),
        ("1\u20442", 0.5),
        ("½", 0.5),
        ("2½", 2.5),
        ("⅓", 1 / 3),
        ("⅝", 0.625),
        ("5/0", 0),
        ("on 12/25/2024", 2024),
        ("1/2/2024 is a date", 2024),
        (".5", 0.5),
        ("0.50", 0.5),
        ("1.5e3", 1500),
        ("2E-3", 0.002),
        ("6.02 × 10^23", 6.02e23),
        ("3 \\times 10^{-4}", 3e-4),
        ("3*10^2", 300),
        ("€ 12", 12),
        ("USD12", 12),
        ("\\boxed{\\$18}", 18),
        ("\\boxed{1{,}218}", 1218),
        ("$\\frac{3}{4}$", 0.75),
        ("$-1\\dfrac{1}{2}$", -1.5),
        ("12\u202f345", 12345),
        ("1,2,3", 3),
        ("18 kg of CO2", 18),
        ("step2: 7kg", 7),
        ("答案是18。", 18),
        ("１８", 18),
        ("Rs. 500", 500),
    ],
)
def test_the_last_number_is_read_as_people_write_it(text: str, value: float) -> None:
    found = last_number(text)

    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "none", "...", "CO2", "e", "-", "½a"[1:], "²"])
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert last_number(text) is None


@pytest.mark.parametrize("gap", [0, 10, 22, 23, 24, 25, 199, 398, 400, 401, 5_000])
@pytest.mark.parametrize("number", ["1,234,567", "12 3/4", "-5", "\\frac{10}{16}"])
def test_a_number_is_read_whole_wherever_a_long_text_has_it(
    number: str, gap: int
) -> None:
    alone = last_number(number)

    found = last_number("x " * 700 + number + " y" * gap)

    assert found is not None and alone is not None
    assert found.value == alone.value


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.text(max_size=400))
def test_an_integer_at_the_end_is_found_after_any_text(value: int, text: str) -> None:
    found = last_number(f"{text}\nanswer: {value:,}.")

    assert found is not None
    assert found.value == value


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_the_search_fail(text: str) -> None:
    last_number(text)


@pytest.mark.parametrize(
    "attack",
    [
        "1" * 1_000_000,
        "1,111" * 200_000,
        ",111" * 250_000,
        "1 1 " * 250_000,
        "1/" * 500_000,
        "0/0" * 300_000,
        "$" * 1_000_000,
        "-" * 1_000_000,
        "1.1." * 250_000,
        "\\frac{" * 150_000,
        "1e" * 500_000,
    ],
    ids=lambda attack: attack[:8],
)
def test_a_hostile_megabyte_is_searched_in_linear_time(attack: str) -> None:
    last_number(attack + " no number")  # were it quadratic, it would time out


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("1218", "#### 1,218", 1.0),
        ("$1,218.00", "#### 1,218", 1.0),
        ("1219", "#### 1,218", 0.0),
        ("-10", "#### 10", 0.0),
        ("0.75", "3/4", 1.0),
        ("50%", "50", 1.0),
        ("50%", "0.5", 1.0),
        ("0.5", "50%", 1.0),
        ("50%", "5", 0.0),
        ("0", "0", 1.0),
        ("1e-12", "0", 0.0),
        ("0.3333", "1/3", 0.0),
        ("1" + "0" * 400, "2" + "0" * 400, 0.0),
        ("nothing", "5", 0.0),
    ],
)
def test_numbers_are_compared_by_value(
    judge: Callable[..., Score], answer: str, target: str, value: float
) -> None:
    assert judge("number", answer, target).value == value


def test_a_tolerance_is_relative_to_the_target(judge: Callable[..., Score]) -> None:
    assert judge("number:0.01", "3.14", "3.14159").value == 1.0
    assert judge("number:0.0001", "3.14", "3.14159").value == 0.0


def test_the_score_says_what_it_read_and_what_it_expected(
    judge: Callable[..., Score],
) -> None:
    score = judge("number", "So $1,219.", "#### 1,218")

    assert (score.answer, score.explanation) == ("$1,219", "expected 1,218")


@pytest.mark.parametrize("argument", ["abc", "-1", "nan", "inf", ""])
def test_a_tolerance_that_is_none_is_refused(argument: str) -> None:
    with pytest.raises(ValidationError, match="tolerance"):
        make_scorer(f"number:{argument}")


@pytest.mark.parametrize("model", RIGHT)
def test_the_answers_of_real_models_are_scored_as_their_authors_did(
    model: str, shared_data: Path
) -> None:
    questions = (shared_data / "gsm8k_test.jsonl").read_text("utf-8").splitlines()
    answers = (shared_data / "gsm8k_model_solutions.jsonl").read_text("utf-8")
    number = make_scorer("number").function
    given, expected = [], []

    for row, solved in zip(questions, answers.splitlines(), strict=True):
        sample = Sample(id="1", input="?", target=json.loads(row)["answer"])
        solution = json.loads(solved)[model]
        text = solution["solution"]
        score = number(sample, Completion(text=text, finish_reason=FinishReason.STOP))
        assert isinstance(score, Score)
        given.append(score.value == 1)
        expected.append(solution["is_correct"])

    assert sum(given) == RIGHT[model]
    assert given == expected
