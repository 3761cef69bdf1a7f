"""`load_dataset`: from a file, a list or a foreign object to a `Dataset`."""

import random
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.engine.datasets.mapping import FieldMap, to_sample
from aistrale_lab.engine.datasets.records import (
    Faults,
    Record,
    listed_records,
    read_records,
)
from aistrale_lab.engine.prompts import render_expression
from aistrale_lab.errors import ConfigError, DatasetError, PromptError


def load_dataset(
    source: Any,
    *,
    name: str | None = None,
    input: str | None = None,
    target: str | None = None,
    id: str | None = None,
    group: str | None = None,
    where: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> Dataset:
    """Load a prompt set from a file, a saved dataset's folder, or records in memory.

    `source` is a path (JSONL, JSON, CSV, TSV, YAML, Parquet, or a folder that Hugging
    Face's `datasets` saved), a list of mappings or of `Sample`, a dataframe, or an
    object of `datasets`. `input`, `target`, `id` and `group` name the fields of a
    foreign file, or are Jinja expressions in braces; other fields become metadata.
    `where` is a Jinja expression that a record must fulfil, `sample` a seeded random
    choice of so many (in the file's order), `limit` the first so many of what is left.

    Raises DatasetError with all faults of the source, and their places, at once.
    """
    fields = FieldMap(input=input, target=target, id=id, group=group)
    title, records, faults, path = _open(source)
    samples = list(_samples(records, fields, where, faults))
    _note_duplicates(samples, faults)
    faults.check()
    if not samples:
        raise DatasetError(f"{title}: no sample is left")
    chosen = _choose(samples, sample=sample, seed=seed, limit=limit)
    options = {"where": where, "sample": sample, "seed": seed, "limit": limit}
    return Dataset(
        name=name or title,
        samples=tuple(chosen),
        source=path and {"path": path, **fields.model_dump(), **options, "name": name},
    )


def reload(source: dict[str, Any]) -> Dataset:
    """Load a dataset again as its `source` says; raises DatasetError."""
    options = dict(source)
    return load_dataset(options.pop("path"), **options)


def _open(source: Any) -> tuple[str, Iterator[Record], Faults, str | None]:
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        faults = Faults(path.name)
        records = _saved(path, faults) if path.is_dir() else read_records(path, faults)
        return path.stem, records, faults, str(path.absolute())
    name = str(getattr(source, "name", None) or "dataset")
    faults = Faults(name)
    return name, listed_records(_listed(source), faults), faults, None


def _listed(source: Any) -> list[Any]:
    """The records of an object in memory, whatever holds them."""
    if isinstance(source, list | tuple):
        return [_fields_of(item) for item in source]
    if callable(getattr(source, "to_dict", None)) and hasattr(source, "columns"):
        rows: list[Any] = source.to_dict(orient="records")
        return rows
    if isinstance(source, Iterable) and not isinstance(source, dict):
        return [_fields_of(item) for item in source]
    raise ConfigError(
        f"a dataset cannot be loaded from a {type(source).__name__}; possible: a path, "
        "a list of mappings or samples, a dataframe, or an object of `datasets`"
    )


def _fields_of(item: Any) -> Any:
    if not isinstance(item, Sample):
        return item
    content = item.content()
    return {**(content.pop("metadata") or {}), **content}


def _saved(path: Path, faults: Faults) -> Iterator[Record]:
    """A folder written by `datasets.Dataset.save_to_disk`."""
    try:
        load = import_module("datasets").load_from_disk
    except (ImportError, AttributeError):  # a mere folder may bear the name, too
        raise ConfigError(
            f"{str(path)!r} is a folder; to read a saved Hugging Face dataset, "
            "install the library `datasets`"
        ) from None
    try:
        loaded = load(str(path))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path.name} cannot be read: {error}") from None
    if isinstance(loaded, dict):
        raise DatasetError(f"{path.name} holds splits; name one: {', '.join(loaded)}")
    return listed_records(list(loaded), faults)


def _samples(
    records: Iterator[Record], fields: FieldMap, where: str | None, faults: Faults
) -> Iterator[Sample]:
    for record in records:
        if where is not None and not _fulfils(record, where, faults):
            continue
        made = to_sample(record, fields, faults)
        if made is not None:
            yield made


def _fulfils(record: Record, where: str, faults: Faults) -> bool:
    _, place, values = record
    expression = where if "{{" in where else "{{ " + where + " }}"
    try:
        found = render_expression(expression, values)
    except PromptError as error:
        faults.add(place, f"where: {error.message}")
        return False
    return found.strip() not in ("", "False", "None", "0")


def _note_duplicates(samples: list[Sample], faults: Faults) -> None:
    seen: set[str] = set()
    for made in samples:
        if made.id in seen:
            faults.add("", f"id {made.id!r} stands more than once")
        seen.add(made.id)


def _choose(
    samples: list[Sample], *, sample: int | None, seed: int, limit: int | None
) -> list[Sample]:
    for option, value in (("sample", sample), ("limit", limit)):
        if value is not None and value < 1:
            raise ConfigError(f"{option} must be at least 1, not {value}")
    if sample is not None and sample < len(samples):
        places = sorted(random.Random(seed).sample(range(len(samples)), sample))
        samples = [samples[place] for place in places]
    return samples[:limit]
