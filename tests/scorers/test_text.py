"""`exact`, `includes` and `length`."""

from collections.abc import Callable

import pytest

from aistrale_lab.domain.runs import Score
from aistrale_lab.errors import ValidationError
from aistrale_lab.scorers.base import make_scorer

Judge = Callable[..., Score]


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("Paris", "Paris", 1.0),
        ("  Paris\n", "Paris", 1.0),
        ("cafe\u0301", "caf\u00e9", 1.0),
        ("paris", "Paris", 0.0),
        ("Paris.", "Paris", 0.0),
        ("", "", 1.0),
    ],
)
def test_exact_ignores_composition_and_outer_space_but_not_case(
    judge: Judge, answer: str, target: str, value: float
) -> None:
    assert judge("exact", answer, target).value == value


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("It is PARIS, of course", "paris", 1.0),
        ("in der Straße", "STRASSE", 1.0),
        ("cafe\u0301 au lait", "caf\u00e9", 1.0),
        ("London", "Paris", 0.0),
    ],
)
def test_includes_looks_anywhere_whatever_the_case(
    judge: Judge, answer: str, target: str, value: float
) -> None:
    assert judge("includes", answer, target).value == value


def test_length_counts_characters_or_words(judge: Judge) -> None:
    assert judge("length", "two words").value == 9
    assert judge("length:words", "two words").value == 2


def test_another_unit_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValidationError, match="possible units: characters, words"):
        make_scorer("length:tokens")
