"""The `json` scorer: valid JSON, its fields against the target's, or a schema."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.pattern import compile_pattern
from aistrale_lab.scorers.registry import ScorerDefinition, ScorerFunction

_FENCED = re.compile(r"^[ \t]*```[\w+-]*[ \t]*\n(.*?)^[ \t]*```", re.M | re.S)
_SHOWN = 200


class NotJson(ValueError):
    """The text is not a JSON value."""


def make_json(argument: str | None) -> ScorerFunction:
    """How far the answer is the JSON that is wanted.

    `json` compares with the target where there is one: of two objects, the share of
    equal fields among all fields of either; of other values, 0 or 1. Without a
    target it asks for valid JSON, as does `json:valid` on all samples.
    `json:SCHEMA.json` asks for JSON that the schema allows. The answer may stand in
    a code fence (of several, the last counts), but not in bare prose.
    """
    if argument is None:
        return fields
    if argument == "valid":
        return valid
    validator = load_schema(Path(argument))

    def schema(sample: Sample, completion: Completion) -> Score:
        return _scored(completion, lambda found: _against_schema(validator, found))

    return schema


def fields(sample: Sample, completion: Completion) -> Score:
    """The share of fields that equal the target's; without a target, validity."""
    if sample.target is None:
        return valid(sample, completion)
    target = parse(sample.target)
    return _scored(completion, lambda found: compare(found, target))


def valid(sample: Sample, completion: Completion) -> Score:
    """Full marks for any valid JSON."""
    return _scored(completion, lambda found: (1.0, "valid JSON"))


def parse(text: str) -> Any:
    """The JSON value of a text or of its last code fence; raises NotJson."""
    bare = text.strip()
    if "```" in bare and (blocks := _FENCED.findall(bare)):
        bare = blocks[-1]
    try:
        return json.loads(bare, parse_constant=_refuse_constant)
    except ValueError as error:
        raise NotJson(f"not valid JSON: {error}") from None


def compare(answer: Any, target: Any) -> tuple[float, str]:
    """How much of the answer equals the target, and what does not."""
    if not (isinstance(answer, dict) and isinstance(target, dict)):
        same = equal(answer, target)
        return float(same), "equals the target" if same else "differs from the target"
    names = answer.keys() | target.keys()
    wrong = sorted(
        name
        for name in names
        if not (name in answer and name in target and equal(answer[name], target[name]))
    )
    right = len(names) - len(wrong)
    explanation = f"{right} of {len(names)} fields equal"
    if wrong:
        explanation += f"; not {', '.join(wrong)}"[:_SHOWN]
    return (right / len(names) if names else 1.0), explanation


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are the same number, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def load_schema(path: Path) -> Any:
    """A validator for the schema in a file; raises ValueError if it cannot be used.

    Patterns are matched by RE2, in linear time. References must point into the
    schema itself: nothing is fetched.
    """
    from jsonschema import SchemaError, validators  # 1 s, only where it is asked for
    from referencing import Registry

    schema = _read_schema(path)
    base = validators.validator_for(schema, default=validators.Draft202012Validator)
    try:
        base.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"{path} is no JSON Schema: {error.message}") from None
    for keyword, value in _keywords(schema):
        if keyword == "pattern":
            compile_pattern(value)
        elif keyword == "patternProperties":
            raise ValueError(f"{path}: patternProperties is not supported")
        elif keyword == "$ref" and not value.startswith("#"):
            raise ValueError(f"{path}: the reference {value!r} leaves the schema")
    extend: Callable[..., Any] = validators.extend
    return extend(base, {"pattern": _check_pattern})(schema, registry=Registry())


def _scored(completion: Completion, judge: Callable[[Any], tuple[float, str]]) -> Score:
    try:
        found = parse(completion.text)
        value, explanation = judge(found)
        answer = json.dumps(found, ensure_ascii=False)
    except NotJson as error:
        return Score(value=0.0, explanation=str(error)[:_SHOWN])
    except RecursionError:
        return Score(value=0.0, explanation="nested too deeply")
    return Score(value=value, answer=answer, explanation=explanation)


def _against_schema(validator: Any, found: Any) -> tuple[float, str]:
    error = next(iter(validator.iter_errors(found)), None)
    if error is None:
        return 1.0, "the schema allows it"
    return 0.0, f"{error.json_path}: {error.message}"[:_SHOWN]


def _check_pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[Any]:
    from jsonschema import ValidationError  # loaded by then

    if isinstance(instance, str):
        text = instance.encode("utf-8", "replace")
        if compile_pattern(pattern).search(text) is None:
            yield ValidationError(f"{instance[:_SHOWN]!r} does not match {pattern!r}")


def _read_schema(path: Path) -> Any:
    try:
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(schema, dict | bool):
        raise ValueError(f"{path} is no JSON Schema: it holds no object")
    return schema


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every string under `pattern` and `$ref`, every `patternProperties`."""
    if isinstance(schema, list):
        for part in schema:
            yield from _keywords(part)
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            if isinstance(value, str) or keyword == "patternProperties":
                yield keyword, value
            yield from _keywords(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_target(target: str, argument: str | None) -> None:
    if argument is not None:
        return
    try:
        parse(target)
    except NotJson:
        raise ValueError("it is no JSON (json:valid ignores the targets)") from None


JSON = ScorerDefinition(make=make_json, argument="optional", check_target=_check_target)
