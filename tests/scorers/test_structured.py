"""The `json` scorer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aistrale_lab.domain.runs import Score
from aistrale_lab.errors import ValidationError
from aistrale_lab.scorers.base import make_scorer

Judge = Callable[..., Score]
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]"},
        "age": {"$ref": "#/$defs/age"},
    },
    "required": ["name"],
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


@pytest.fixture
def schema(tmp_path: Path) -> Callable[[Any], str]:
    """The spec of a `json` scorer with that schema."""

    def write(content: Any) -> str:
        path = tmp_path / "schema.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return f"json:{path}"

    return write


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"a": 1}', 1.0),
        (" [1, 2]\n", 1.0),
        ('```json\n{"a": 1}\n```', 1.0),
        ('Here it is:\n```\n{"a": 1}\n```\nDone.', 1.0),
        ('Here it is: {"a": 1}', 0.0),
        ("{'a': 1}", 0.0),
        ('{"a": NaN}', 0.0),
        ('{"a": 1', 0.0),
        ("", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_without_a_target_the_answer_has_to_be_valid(
    judge: Judge, answer: str, value: float
) -> None:
    assert judge("json", answer).value == value
    assert judge("json:valid", answer, "a target").value == value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"name": "Ann", "age": 3}', 1.0),
        ('{"age": 3.0, "name": "Ann"}', 1.0),
        ('{"name": "Ann", "age": "3"}', 0.5),
        ('{"name": "Ann"}', 0.5),
        ('{"name": "Ann", "age": 3, "x": 1, "y": 2}', 0.5),
        ("{}", 0.0),
        ('["Ann", 3]', 0.0),
        ("no JSON", 0.0),
    ],
)
def test_fields_are_compared_over_all_fields_of_either_side(
    judge: Judge, answer: str, value: float
) -> None:
    assert judge("json", answer, '{"name": "Ann", "age": 3}').value == value


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("true", "1", 0.0),
        ("1.0", "1", 1.0),
        ("null", "null", 1.0),
        ('[{"a": [1]}]', '[{"a": [1]}]', 1.0),
        ("[1, 2]", "[2, 1]", 0.0),
        ("[1]", "[1, 1]", 0.0),
        ("[true]", "[1]", 0.0),
    ],
)
def test_other_values_are_equal_or_not(
    judge: Judge, answer: str, target: str, value: float
) -> None:
    assert judge("json", answer, target).value == value


def test_the_score_names_the_fields_that_differ(judge: Judge) -> None:
    score = judge("json", '{"a": 1, "b": 2}', '{"a": 1, "b": 3}')

    assert score.explanation == "1 of 2 fields equal; not b"


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ('{"name": "Ann", "age": 3}', 1.0, "the schema allows it"),
        ('{"age": 3}', 0.0, "$: 'name' is a required property"),
        ('{"name": "Ann", "age": -1}', 0.0, "$.age: -1 is less than the minimum of 0"),
        ('{"name": "ann"}', 0.0, "$.name: 'ann' does not match '^[A-Z]'"),
        ("no JSON", 0.0, "not valid JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_schema_says_what_it_does_not_allow(
    judge: Judge,
    schema: Callable[[Any], str],
    answer: str,
    value: float,
    reason: str,
) -> None:
    score = judge(schema(PERSON), answer, "whatever")

    assert (score.value, score.explanation) == (value, reason)


def test_a_pattern_of_a_schema_is_matched_in_linear_time(
    judge: Judge, schema: Callable[[Any], str]
) -> None:
    spec = schema({"type": "string", "pattern": "(a+)+$"})

    assert judge(spec, json.dumps("a" * 40 + "!")).value == 0.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "it holds no object"),
        ({"type": "objekt"}, "is no JSON Schema"),
        ({"pattern": "(?=a)"}, "RE2 syntax"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "leaves the schema"),
        ({"patternProperties": {"a": {}}}, "is not supported"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_at_once(
    schema: Callable[[Any], str], content: Any, reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_scorer(schema(content))


def test_a_schema_that_is_missing_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="missing.json cannot be read: No such"):
        make_scorer("json:missing.json")
