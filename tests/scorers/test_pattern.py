"""The `pattern` scorer."""

from collections.abc import Callable

import pytest

from aistrale_lab.domain.runs import Score
from aistrale_lab.errors import ValidationError
from aistrale_lab.scorers.base import make_scorer

Judge = Callable[..., Score]


def test_a_pattern_without_a_group_only_has_to_be_found(judge: Judge) -> None:
    assert judge("pattern:[Pp]aris", "in Paris", "London").value == 1.0
    assert judge("pattern:^Paris", "in Paris", "London").value == 0.0


@pytest.mark.parametrize(
    ("answer", "value"), [("answer: 18", 1.0), ("answer: 19", 0.0), ("18", 0.0)]
)
def test_a_group_has_to_equal_the_target(
    judge: Judge, answer: str, value: float
) -> None:
    assert judge(r"pattern:answer: (\d+)", answer, "18").value == value


def test_a_group_without_a_target_only_has_to_be_found(judge: Judge) -> None:
    score = judge(r"pattern:answer: (\d+)", "answer: 18")

    assert (score.value, score.answer) == (1.0, "18")


def test_the_first_group_that_took_part_counts(judge: Judge) -> None:
    assert judge(r"pattern:a=(\d)|b=(\d)", "b=7", "7").value == 1.0


def test_colons_and_equals_signs_belong_to_the_pattern(judge: Judge) -> None:
    assert judge("pattern:a=b:c", "a=b:c").value == 1.0


def test_the_answer_is_shown_as_it_was_written(judge: Judge) -> None:
    assert judge("pattern:«(.*)»", "er sagt «größer»").answer == "größer"


def test_a_lone_surrogate_in_the_answer_is_no_error(judge: Judge) -> None:
    assert judge("pattern:b", "a\ud83db").value == 1.0


def test_a_pattern_that_python_would_backtrack_on_is_matched_at_once(
    judge: Judge,
) -> None:
    assert judge("pattern:(a+)+$", "a" * 40 + "!").value == 0.0
    assert judge("pattern:(a+)+$", "a" * 1_000_000 + "!").value == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pattern:(", "missing \\)"),
        ("pattern:(?=a)", "RE2 syntax"),
        (r"pattern:(a)\1", "RE2 syntax"),
        ("pattern:" + "a" * 1001, "1000 characters"),
        ("pattern", "needs an argument"),
        ("pattern:", "needs an argument"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_at_once(
    text: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_scorer(text)

    assert capfd.readouterr().err == ""
