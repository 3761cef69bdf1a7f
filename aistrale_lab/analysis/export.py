"""Results to a file and back: JSONL, CSV with formulas defused, Parquet."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from aistrale_lab.analysis.frames import results_df
from aistrale_lab.analysis.whole_file import whole_file
from aistrale_lab.errors import ConfigError, one_of
from aistrale_lab.store.results import Store

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝")
"""Beginnings of a cell that a spreadsheet may take for a formula."""

DEFUSED = "'"


def export(
    store: Store, run_ids: Sequence[str], path: Path, *, raw: bool = False
) -> int:
    """Write the results of runs to a file by its suffix; returns the rows written.

    A CSV cell that a spreadsheet would take for a formula gets a `'` in front, as
    one that begins with `'` does, so that `restore` finds the text again; `raw`
    leaves all as it is. The file appears whole or not at all. Raises ConfigError
    for an unknown suffix, StoreError if the file cannot be written.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ConfigError(
            f"{path.name!r} has no known suffix; known: {one_of(_WRITERS)}"
        )
    frame = results_df(store, run_ids)
    if path.suffix.lower() == ".csv" and not raw:
        frame = _each_text(frame, defused)
    with whole_file(path) as file:
        write(frame, file)
    return len(frame)


def restore(path: Path) -> pd.DataFrame:
    """A CSV that `export` wrote, with its texts as they were."""
    return _each_text(pd.read_csv(path), restored)


def defused(text: str) -> str:
    """The text as a spreadsheet shows it, never as a formula."""
    begins = text.lstrip(" ").startswith((*_FORMULA, DEFUSED))
    return DEFUSED + text if begins else text


def restored(text: str) -> str:
    """The text that was defused."""
    return text.removeprefix(DEFUSED)


def _each_text(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    texts = frame.select_dtypes(include=["str", "string", "object"]).columns
    changed = {name: frame[name].map(change, na_action="ignore") for name in texts}
    return frame.assign(**changed)


def _write_jsonl(frame: pd.DataFrame, file: IO[bytes]) -> None:
    for record in _records(frame):
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _write_csv(frame: pd.DataFrame, file: IO[bytes]) -> None:
    frame.to_csv(file, index=False, date_format="%Y-%m-%dT%H:%M:%S.%f%z")


def _write_parquet(frame: pd.DataFrame, file: IO[bytes]) -> None:
    try:
        frame.to_parquet(file, index=False)
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow: pip install 'aistrale-lab[parquet]'"
        ) from None


def _records(frame: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    names = list(frame.columns)
    for row in frame.itertuples(index=False, name=None):
        yield {name: _plain(value) for name, value in zip(names, row, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    item = getattr(value, "item", None)
    return item() if callable(item) else value


_WRITERS: Mapping[str, Callable[[pd.DataFrame, IO[bytes]], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
