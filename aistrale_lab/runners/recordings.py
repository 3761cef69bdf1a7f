"""Answers of an earlier run, and the JSONL that they are read from."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic import (
    ConfigDict,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
)
from pydantic.dataclasses import dataclass

from aistrale_lab.domain.chat import FinishReason, Usage
from aistrale_lab.errors import DatasetError, one_of

_SHOWN_FAULTS = 20


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=ConfigDict(coerce_numbers_to_str=True, allow_inf_nan=False),
)
class RecordedAnswer:
    """One answer, or one error, of an earlier run; the fields are export columns.

    A dataclass with slots and no `Value`, since a replay holds one for each sample.
    """

    sample_id: str
    epoch: PositiveInt = 1
    provider: str | None = None
    model: str | None = None
    output: str | None = None
    reasoning: str | None = None
    finish_reason: FinishReason | None = None
    input_tokens: NonNegativeInt | None = None
    output_tokens: NonNegativeInt | None = None
    cached_input_tokens: NonNegativeInt | None = None
    reasoning_tokens: NonNegativeInt | None = None
    response_model: str | None = None
    request_id: str | None = None
    raw: str | None = None
    duration_s: NonNegativeFloat | None = None
    time_to_first_token_s: NonNegativeFloat | None = None
    error_type: str | None = None
    error: str | None = None

    @property
    def full_model(self) -> str:
        """`provider/model`, as far as both were recorded."""
        return "/".join(part for part in (self.provider, self.model) if part)

    @property
    def usage(self) -> Usage | None:
        """The recorded tokens, or None if none were recorded."""
        usage = Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_input_tokens=self.cached_input_tokens,
            reasoning_tokens=self.reasoning_tokens,
        )
        return None if usage == Usage() else usage


Records = Mapping[tuple[str, int], RecordedAnswer]
"""Recorded answers by sample id and epoch."""

_ANSWER = TypeAdapter(RecordedAnswer)


def load_records(path: str | Path, model: str | None = None) -> Records:
    """The answers of one model in a JSONL file, by sample id and epoch.

    Columns are those of `results_df()`; only `sample_id` (or `id`) and one of
    `output` and `error_type` are required, others are ignored. `model` picks one of
    several, as `MODEL` or `PROVIDER/MODEL`. Raises DatasetError with every fault
    of the file, or listing the models where the choice is not clear.
    """
    faults: list[str] = []
    rows = list(_rows(Path(path), faults))
    if not rows and not faults:
        faults.append("there is no recorded answer in it")
    _report(path, faults)
    chosen = _one_model(path, rows, model)
    records: dict[tuple[str, int], RecordedAnswer] = {}
    lines: dict[tuple[str, int], int] = {}
    for line, answer in chosen:
        key = (answer.sample_id, answer.epoch)
        if key in records:
            faults.append(
                f"line {line}: a second answer for sample {key[0]!r}, "
                f"epoch {key[1]}; the first is on line {lines[key]}"
            )
            continue
        records[key], lines[key] = answer, line
    _report(path, faults)
    return records


def _rows(path: Path, faults: list[str]) -> Iterator[tuple[int, RecordedAnswer]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield from _row(number, line, faults)
    except OSError as error:
        faults.append(error.strerror or type(error).__name__)


def _row(
    number: int, line: bytes, faults: list[str]
) -> Iterator[tuple[int, RecordedAnswer]]:
    try:
        answer = _ANSWER.validate_python(_fields(line))
    except pydantic.ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            where = ".".join(str(part) for part in fault["loc"])
            faults.append(f"line {number}: {where}: {fault['msg']}")
        return
    except (ValueError, RecursionError) as error:
        faults.append(f"line {number}: {error}")
        return
    if answer.output is None and not (answer.error_type or answer.finish_reason):
        faults.append(f"line {number}: neither an output nor an error_type")
        return
    yield number, answer


def _fields(line: bytes) -> dict[str, Any]:
    fields = json.loads(line.decode("utf-8"), parse_constant=_constant)
    if not isinstance(fields, dict):
        raise ValueError(f"a {type(fields).__name__}, not an object")
    if "sample_id" not in fields and "id" in fields:
        fields["sample_id"] = fields["id"]
    if fields.get("epoch") is None:
        fields.pop("epoch", None)
    return fields


def _constant(name: str) -> None:
    """NaN is how others write "unknown"; an infinity is a fault."""
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _one_model(
    path: str | Path, rows: list[tuple[int, RecordedAnswer]], model: str | None
) -> list[tuple[int, RecordedAnswer]]:
    chosen = [
        (line, answer)
        for line, answer in rows
        if model is None or model in (answer.model, answer.full_model)
    ]
    if len({answer.full_model for _, answer in chosen}) == 1:
        return chosen
    names = one_of({answer.full_model or "(no model)" for _, answer in rows})
    if not chosen:
        raise DatasetError(f"{path}: no answers of {model!r}; it holds: {names}")
    raise DatasetError(
        f"{path}: answers of several models; choose one with #MODEL: {names}"
    )


def _report(path: str | Path, faults: list[str]) -> None:
    if not faults:
        return
    shown = faults[:_SHOWN_FAULTS]
    if len(faults) > len(shown):
        shown.append(f"and {len(faults) - len(shown)} more")
    raise DatasetError(f"{path}: " + "\n".join(shown))
