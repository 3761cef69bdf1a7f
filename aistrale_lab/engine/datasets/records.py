"""Records of a file: what each format holds, with the line of each record."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from aistrale_lab.errors import ConfigError, DatasetError, one_of

MOST_FAULTS = 20
"""Faults that an error message shows; the others are counted."""

MOST_YAML = 20_000_000
MOST_YAML_ALIASES = 100

Record = tuple[int, str, dict[str, Any]]
"""Number in the file (1-based), place to show, fields."""


class Faults:
    """Collects what is wrong with a file, to report it all at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[str] = []

    def add(self, place: str, what: str) -> None:
        """Note a fault at a place such as `line 7`."""
        self._found.append(f"{place}: {what}" if place else what)

    def check(self) -> None:
        """Raise DatasetError if anything was noted."""
        if not self._found:
            return
        shown = self._found[:MOST_FAULTS]
        more = len(self._found) - len(shown)
        tail = [f"and {more} more"] if more else []
        raise DatasetError("\n  ".join([f"{self._name}:", *shown, *tail]))


def read_records(path: Path, faults: Faults) -> Iterator[Record]:
    """The records of a file by its suffix; raises DatasetError if it has none.

    Faults of single records are noted and the records left out.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{path.name!r} has no known suffix; known: {one_of(_READERS)}, "
            "or the folder of a saved Hugging Face dataset"
        )
    return reader(path, faults)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 if it begins with its mark."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"there is no file {str(path)!r}") from None
    except OSError as error:
        raise DatasetError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path.name}: line {line}: byte {error.start} is no "
            f"{'UTF-16' if wide else 'UTF-8'} ({error.reason})"
        ) from None
    if not text.strip():
        raise DatasetError(f"{path.name} is empty")
    return text


def _jsonl(path: Path, faults: Faults) -> Iterator[Record]:
    number = 0
    for line_number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        number += 1
        place = f"line {line_number}"
        try:
            fields = json.loads(line, parse_constant=_refuse_constant)
        except ValueError as error:
            faults.add(place, f"broken JSON: {error}")
            continue
        except RecursionError:
            faults.add(place, "broken JSON: nested too deeply")
            continue
        if isinstance(fields, dict):
            yield number, place, fields
        else:
            faults.add(place, f"a JSON {type(fields).__name__}, not an object")


def _json(path: Path, faults: Faults) -> Iterator[Record]:
    try:
        content = json.loads(read_text(path), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path.name}: line {error.lineno}: broken JSON: {error.msg}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name}: broken JSON: {error}") from None
    yield from _listed(content, path, faults)


def _yaml(path: Path, faults: Faults) -> Iterator[Record]:
    import yaml

    text = read_text(path)
    if len(text) > MOST_YAML:
        raise DatasetError(f"{path.name} is too large for YAML; use JSONL")
    try:
        _check_aliases(yaml, text, path)
        content = yaml.load(text, Loader=_yaml_loader(yaml))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        said = getattr(error, "problem", None) or str(error)
        raise DatasetError(f"{path.name}: {where}broken YAML: {said}") from None
    yield from _listed(content, path, faults)


def _check_aliases(yaml: Any, text: str, path: Path) -> None:
    aliases = sum(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text))
    if aliases > MOST_YAML_ALIASES:
        raise DatasetError(
            f"{path.name} has more than {MOST_YAML_ALIASES} YAML aliases"
        )


def _yaml_loader(yaml: Any) -> Any:
    """The safe loader, refusing the double keys that YAML takes silently."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # the base is loaded late
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            twice = {str(key) for key in keys if keys.count(key) > 1}
            if twice:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {one_of(twice)} stands twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    return Loader


def _csv(path: Path, faults: Faults) -> Iterator[Record]:
    dialect: Any = "excel-tab" if path.suffix.lower() == ".tsv" else "excel"
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.StringIO(read_text(path), newline=""), dialect, strict=True)
    try:
        header = next(rows)
        _check_header(header, faults)
        began = rows.line_num + 1
        for number, row in enumerate(rows, start=1):
            place, began = f"line {began}", rows.line_num + 1
            if len(row) == len(header):
                yield number, place, dict(zip(header, row, strict=True))
            elif row:
                faults.add(place, f"{len(row)} cells, but the header has {len(header)}")
    except csv.Error as error:
        faults.add(f"line {rows.line_num}", f"broken CSV: {error}")


def _check_header(header: list[str], faults: Faults) -> None:
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        faults.add("line 1", f"column {one_of(twice)} stands twice")


def _parquet(path: Path, faults: Faults) -> Iterator[Record]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow: pip install 'aistrale-lab[parquet]'"
        ) from None
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{path.name} cannot be read: {error}") from None
    yield from _listed(rows, path, faults)


def _listed(content: Any, path: Path, faults: Faults) -> Iterator[Record]:
    """The records of a list, or of the one list that an object holds."""
    if isinstance(content, Mapping):
        lists = {name: v for name, v in content.items() if isinstance(v, list)}
        if len(lists) != 1:
            raise DatasetError(
                f"{path.name}: an object must hold exactly one list of records; "
                f"this one holds {one_of(lists)}"
            )
        content = next(iter(lists.values()))
    if not isinstance(content, list):
        raise DatasetError(f"{path.name}: expected a list of records")
    yield from listed_records(content, faults)


def listed_records(items: list[Any], faults: Faults) -> Iterator[Record]:
    """Records of a list of mappings."""
    for number, fields in enumerate(items, start=1):
        if isinstance(fields, Mapping):
            yield number, f"record {number}", dict(fields)
        else:
            faults.add(f"record {number}", f"a {type(fields).__name__}, not an object")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_READERS: Mapping[str, Callable[[Path, Faults], Iterator[Record]]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
    ".tsv": _csv,
    ".yaml": _yaml,
    ".yml": _yaml,
}
