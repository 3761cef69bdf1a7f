"""The lines that an experiment travels in: JSON, one thing a line, each checked.

::

    {"kind": "aistrale", "version": 1}
    {"kind": "dataset", "fingerprint": ..., "name": ..., "samples": 2, "source": ...}
    {"kind": "sample", "id": ..., "input": ..., "target": ..., ...}     one a sample
    {"kind": "experiment", "id": ..., "task": ..., ...}
    {"kind": "run", "id": ..., "status": ..., ...}                      one a run
    {"kind": "result", ..., "failed_attempts": [...], "scores": [...]}  one a result
    {"kind": "end", "results": 2, "next": 17, "all_results": 2, "all_scores": 2}

A stream without its end broke off. Dataset and samples are left out for a reader that
has them. Texts become what every database can hold, moments UTC.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import GenericAlias
from typing import Annotated, Any

import pydantic
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
)
from sqlalchemy import JSON, Column, Table

from aistrale_lab.domain.chat import FinishReason, GenerateConfig
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import ValidationError
from aistrale_lab.pricing import Price
from aistrale_lab.store.leases import SILENT
from aistrale_lab.store.reading import EXPERIMENTS, RUNS, utc
from aistrale_lab.store.records import Visibility
from aistrale_lab.store.writing import ATTEMPTS, RESULTS, SCORES, clean

HEADER = "aistrale"
"""The kind of the first line."""

VERSION = 1

BIGGEST = 2**31 - 1
"""What PostgreSQL's integers hold."""

MOST_USD = 10**12
"""What an answer may cost, so that sums can be made."""


def _whole(value: Any) -> Any:
    """JSON without lone surrogates, which no database takes."""
    return json.loads(str(clean(json.dumps(value, ensure_ascii=False))))


def _fits(model: type[BaseModel], value: Mapping[str, Any]) -> None:
    try:
        model(**value)
    except (pydantic.ValidationError, TypeError):
        raise ValueError(f"no {model.__name__}") from None


def _checked_config(value: dict[str, Any]) -> dict[str, Any]:
    _fits(GenerateConfig, value)
    return value


def _checked_price(value: dict[str, Any] | None) -> dict[str, Any] | None:
    _fits(Price, value or {"input_mtok": 0, "output_mtok": 0})
    return value


def _plain(value: str) -> str:
    """An amount as exact text; anything else would spoil every sum."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not 0 <= amount <= MOST_USD:
        raise ValueError(f"USD from 0 to {MOST_USD:,}")
    return value


Text = Annotated[str, AfterValidator(clean)]
Id = Annotated[str, Field(pattern=r"^[0-9a-z]{14}$")]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Json = Annotated[dict[str, Any], AfterValidator(_whole)]
Count = Annotated[int, Field(ge=0, le=BIGGEST)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Cost = Annotated[str, Field(pattern=r"^[0-9.Ee+-]{1,40}$"), AfterValidator(_plain)]

_TYPES: Mapping[type, Any] = {
    str: Text,
    int: Count,
    float: Amount,
    bool: bool,
    bytes: Annotated[bytes, BeforeValidator(base64.b64decode)],
    datetime: Moment,
}
"""What a column of that type may hold."""


class Line(BaseModel):
    """A line's content; a field that there is not is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


KEY = ("run_id", "sample_id", "epoch")
"""What results, their attempts and their scores are found by."""

NOT_CARRIED = {
    EXPERIMENTS.name: (),
    RUNS.name: ("lease", "lease_beat", "stop_asked", SILENT.name),
    RESULTS.name: ("id",),
    ATTEMPTS.name: ("id", *KEY),
    SCORES.name: KEY,
}
"""Columns that mean nothing elsewhere, or that the result's line tells already."""


def _kind_of(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return Json
    return _TYPES.get(column.type.python_type, Text)  # SQLModel has strings of its own


def _line_of(name: str, table: Table, **special: Any) -> Any:
    """A line with a field for every column of a table that is carried."""
    fields: dict[str, Any] = {}
    for column in table.columns:
        if column.name not in (*NOT_CARRIED[table.name], *special):
            kind = _kind_of(column)
            fields[column.name] = (
                (kind | None, None) if column.nullable else (kind, ...)
            )
    fields |= {column: (kind, ...) for column, kind in special.items()}
    return pydantic.create_model(name, __base__=Line, **fields)


def _several(line: Any) -> Any:
    return GenericAlias(tuple, (line, ...))


class DatasetLine(Line):
    """A dataset, whose samples follow."""

    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    name: Text
    samples: Count
    source: Json | None = None


ExperimentLine = _line_of("ExperimentLine", EXPERIMENTS, id=Id, visibility=Visibility)
RunLine = _line_of(
    "RunLine",
    RUNS,
    id=Id,
    experiment_id=Id,
    status=RunStatus,
    planned=Count,
    config=Annotated[Json, AfterValidator(_checked_config)],
    price=Annotated[Json | None, AfterValidator(_checked_price)],
)
ResultLine = _line_of(
    "ResultLine",
    RESULTS,
    run_id=Id,
    epoch=Annotated[int, Field(ge=1, le=BIGGEST)],
    finish_reason=FinishReason | None,
    cost_usd=Cost | None,
    attempts=Count,
    failed_attempts=_several(_line_of("AttemptLine", ATTEMPTS)),
    scores=_several(_line_of("ScoreLine", SCORES, value=Real | None)),
)


class EndLine(Line):
    """The last line: how many results came, and where the next reading begins.

    `all_results` and `all_scores` are those of the whole experiment.
    """

    results: Count
    next: int
    all_results: int
    all_scores: int


_LINES: Mapping[str, TypeAdapter[Any]] = {
    kind: TypeAdapter(line)
    for kind, line in {
        "dataset": DatasetLine,
        "sample": Sample,
        "experiment": ExperimentLine,
        "run": RunLine,
        "result": ResultLine,
        "end": EndLine,
    }.items()
}


def write_line(kind: str, content: Mapping[str, Any]) -> str:
    """A thing as a line, with its end."""
    told = {"kind": kind, **content}
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, default=_as_text)
    return f"{text}\n"


def read_line(text: str | bytes, number: int) -> tuple[str, Any]:
    """The kind and the content of a line; raises ValidationError, without the text."""
    try:
        told = json.loads(text, parse_constant=_refuse_constant)
        kind = told.pop("kind")
        if kind == HEADER:
            _check_version(told)
            return kind, None
        return kind, _LINES[kind].validate_python(told)
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)[:5]
        )
        raise ValidationError(f"line {number}, {kind}: {faults}") from None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise ValidationError(
            f"line {number} is no line of an experiment; `aistrale push` sends such"
        ) from None


def _check_version(told: dict[str, Any]) -> None:
    if told.get("version") != VERSION:
        raise ValidationError(
            f"the experiment comes in form {told.get('version')!r}, and only {VERSION} "
            "is known here; update the older package"
        )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return utc(value).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
