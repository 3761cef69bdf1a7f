"""The points of a batch: from words, from Python, or from a `batch.yaml`."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from aistrale_lab.batch.parameters import Parameter, find_parameter
from aistrale_lab.domain.values import Value, fingerprint
from aistrale_lab.errors import NotFoundError, ValidationError

MOST_POINTS = 10_000
LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")


class Point(Value):
    """One set of parameters. `key` is the same for the same values, however named."""

    name: str
    key: str
    parameters: dict[str, Any]
    """What the notebook is given; the others have the cell's defaults."""
    varied: dict[str, Any]
    """What tells this point from others."""


class Override(BaseModel):
    """Parameters for the points that have certain values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: dict[str, Any]
    set: dict[str, Any]


class BatchFile(BaseModel):
    """What stands in a `batch.yaml`.

    `parameters` hold at every point; `grid` is multiplied out; `points` come after it;
    `exclude` leaves out the points that have all of its values; `names` is a template
    such as `"{model}-{temperature}"`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    notebook: str | None = None
    name: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    points: list[dict[str, Any]] = Field(default_factory=list)
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    overrides: list[Override] = Field(default_factory=list)
    names: str | None = None


def load_file(path: Path) -> BatchFile:
    """A batch file; raises NotFoundError, and ValidationError that names the field."""
    import yaml

    if not path.is_file():
        raise NotFoundError(f"there is no batch file {str(path)!r}")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return BatchFile.model_validate(found or {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValidationError(f"{path}: {error}") from None
    except pydantic.ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        told = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in faults)
        raise ValidationError(f"{path}: {told}") from None


def parse_words(words: Sequence[str], known: Sequence[Parameter]) -> dict[str, Any]:
    """The grid of `KEY=VALUE[,VALUE...]` words: a list of values for each key.

    Commas inside of brackets, braces and quotes do not separate.
    """
    grid: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        name = name.strip()
        if not sign or not name:
            raise ValidationError(f"{word!r} is no KEY=VALUE[,VALUE...]")
        if name in grid:
            raise ValidationError(f"parameter {name} is given twice")
        parameter = find_parameter(known, name)
        grid[name] = [parameter.read(one) for one in split_values(text)]
    return grid


def split_values(text: str) -> list[str]:
    """The values between commas, those in brackets, braces and quotes left whole."""
    parts, depth, quote, start = [], 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def make_points(asked: BatchFile, known: Sequence[Parameter]) -> list[Point]:
    """Every point, checked against the notebook's parameters, in the grid's order.

    Raises ValidationError: unknown parameter, wrong type, no point, two equal points.
    """
    raw = _multiplied(asked)
    names = [one.pop("name", None) for one in raw]
    checked = [_checked(asked, one, known) for one in raw]
    excluded = [_typed(one, known) for one in asked.exclude]
    kept = [
        (name, one)
        for name, one in zip(names, checked, strict=True)
        if not any(_has(one, leave) for leave in excluded)
    ]
    if not kept:
        raise ValidationError("the batch has no point: every one is excluded")
    full = [_full(one, known) for _, one in kept]
    keys = [fingerprint(one)[:14] for one in full]
    varied = {
        p.name for p in known if len({_text(one.get(p.name)) for one in full}) > 1
    }
    points = [
        Point(
            name=_name(asked, given, one, values, varied),
            key=key,
            parameters=one,
            varied={k: v for k, v in values.items() if k in varied},
        )
        for (given, one), values, key in zip(kept, full, keys, strict=True)
    ]
    _check_apart(points)
    return points


def _multiplied(asked: BatchFile) -> list[dict[str, Any]]:
    empty = [name for name, values in asked.grid.items() if not values]
    if empty:
        raise ValidationError(f"grid.{empty[0]} has no value")
    size = 1
    for values in asked.grid.values():
        size *= len(values)
    if size + len(asked.points) > MOST_POINTS:
        raise ValidationError(f"{size:,} points are more than {MOST_POINTS:,}")
    names = list(asked.grid)
    grid = [
        dict(zip(names, values, strict=True))
        for values in product(*asked.grid.values())
    ]
    if asked.points and not asked.grid:
        grid = []
    return [{**asked.parameters, **one} for one in [*grid, *asked.points]]


def _checked(
    asked: BatchFile, given: dict[str, Any], known: Sequence[Parameter]
) -> dict[str, Any]:
    """The values as their types, after the overrides that fit."""
    typed = _typed(given, known)
    for override in asked.overrides:
        if _has(typed, _typed(override.where, known)):
            typed |= _typed(override.set, known)
    return typed


def _typed(given: Mapping[str, Any], known: Sequence[Parameter]) -> dict[str, Any]:
    return {name: find_parameter(known, name).check(v) for name, v in given.items()}


def _has(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in values and values[name] == v for name, v in wanted.items())


def _full(given: Mapping[str, Any], known: Sequence[Parameter]) -> dict[str, Any]:
    """The values of every parameter that is known, defaults included."""
    return {
        one.name: given.get(one.name, one.default)
        for one in known
        if one.name in given or one.known
    }


def _name(
    asked: BatchFile,
    given: str | None,
    parameters: Mapping[str, Any],
    full: Mapping[str, Any],
    varied: set[str],
) -> str:
    """A file's name: the given one, by the template, or of the values that differ."""
    if given is not None:
        return _slug(str(given))
    if asked.names is not None:
        try:
            return _slug(asked.names.format_map({k: _word(v) for k, v in full.items()}))
        except (KeyError, ValueError, IndexError) as error:
            raise ValidationError(
                f"names: {asked.names!r} does not fit: {error}"
            ) from None
    told = [
        _word(value) if isinstance(value, str) else f"{name}-{_word(value)}"
        for name, value in parameters.items()
        if name in varied
    ]
    return _slug("_".join(map(_slug, told))) if told else "point"


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _slug(text: str) -> str:
    """A name that every file system takes, and that no option is mistaken for."""
    name = "_".join(_UNSAFE.sub("-", part).strip("-.") for part in text.split("_"))
    if len(name) <= LONGEST_NAME:
        return name or "point"
    return f"{name[:LONGEST_NAME - 9]}-{fingerprint(text)[:8]}"


def _check_apart(points: Sequence[Point]) -> None:
    """Refuse points that would ask the same, or be written to one file."""
    keys: dict[str, str] = {}
    names: dict[str, Mapping[str, Any]] = {}
    for point in points:
        if point.key in keys:
            raise ValidationError(
                f"two points have the same parameters: {_text(point.parameters)}"
            )
        keys[point.key] = point.name
        folded = point.name.lower()
        if folded in names:
            raise ValidationError(
                f"two points would be called {point.name!r}: {_text(names[folded])} "
                f"and {_text(point.parameters)}; name them apart (names, or name)"
            )
        names[folded] = point.parameters
