"""From a record's fields to a sample."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pydantic

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.domain.values import Value
from aistrale_lab.engine.datasets.records import Faults, Record
from aistrale_lab.engine.prompts import render_expression
from aistrale_lab.errors import PromptError, one_of


class FieldMap(Value):
    """Which field, or which Jinja expression in braces, makes each part of a sample.

    None: the field of the part's own name, if the record has it.
    """

    input: str | None = None
    target: str | None = None
    id: str | None = None
    group: str | None = None

    def named(self) -> set[str]:
        """The fields that become parts, and so no metadata."""
        parts = {"input": self.input, "target": self.target}
        parts |= {"id": self.id, "group": self.group}
        return {
            field or part
            for part, field in parts.items()
            if not (field and is_expression(field))
        }


def is_expression(text: str) -> bool:
    """Whether a mapping is a template and not a field's name."""
    return "{{" in text or "{%" in text


def to_sample(record: Record, fields: FieldMap, faults: Faults) -> Sample | None:
    """The sample of a record; None, with its faults noted, if it makes none."""
    number, place, values = record
    try:
        said = _part(values, fields.input, "input", required=True)
        target = _part(values, fields.target, "target", required=bool(fields.target))
        name = _part(values, fields.id, "id", required=bool(fields.id))
        group = _part(values, fields.group, "group", required=bool(fields.group))
        named = fields.named()
        metadata = {k: _plain(v) for k, v in values.items() if str(k) not in named}
        return Sample(
            id=str(number) if name is None else _text(name, "id"),
            input=_input(said),
            target=None if target is None else _text(target, "target"),
            group=None if group is None else _text(group, "group"),
            metadata=metadata or None,
        )
    except (_Fault, PromptError) as fault:
        faults.add(place, str(fault))
        return None


class _Fault(Exception):
    """A field that cannot become a part of a sample."""


def _part(
    values: Mapping[str, Any], field: str | None, part: str, *, required: bool
) -> Any:
    if field and is_expression(field):
        return render_expression(field, dict(values))
    name = field or part
    if name in values:
        value = values[name]
        if part == "input" and (value is None or value == ""):
            raise _Fault(f"field {name!r} is empty")
        return value
    if required:
        raise _Fault(f"no field {name!r}; fields: {one_of(map(str, values))}")
    return None


def _input(value: Any) -> str | tuple[Message, ...]:
    if not isinstance(value, list):
        text = _text(value, "input")
        if not text.strip():
            raise _Fault("the input is empty")
        return text
    try:
        turns = tuple(Message(**turn) for turn in value)
    except (pydantic.ValidationError, TypeError):
        raise _Fault(
            "the input is a list, but not of messages with role and content"
        ) from None
    if not turns:
        raise _Fault("the input is an empty conversation")
    return turns


def _text(value: Any, part: str) -> str:
    """Text as it is; numbers and truth values as JSON writes them; the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise _Fault(f"the {part} is {value}, no text")
    plain = _plain(value)
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < 1e15:
        plain = int(plain)
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: foreign scalars as numbers, the rest as text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    item = getattr(value, "item", None)
    return _plain(item()) if callable(item) else str(value)
