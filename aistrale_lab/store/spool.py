"""Answers that could not be stored: kept in a file until the store works again."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from platformdirs import user_state_path

from aistrale_lab.store.writing import Row


class Spool:
    """A JSON-lines file of result rows: beside a store that is a file, else in the
    user's own folder, or in the temporary one.
    """

    def __init__(self, store: Path | None, name: str) -> None:
        mark = sha256((str(store) if store else name).encode()).hexdigest()[:12]
        file = f"aistrale-{mark}.spool.jsonl"
        own = user_state_path("aistrale") / file
        first = store.with_name(store.name + ".spool.jsonl") if store else own
        self.places = (first, Path(tempfile.gettempdir()) / file)

    def keep(self, rows: Sequence[Row]) -> Path | None:
        """Append rows to the first place that takes them; None if none does."""
        text = "".join(json.dumps(row, default=_as_text) + "\n" for row in rows)
        for path in self.places:
            try:
                _append(path, text)
            except OSError:
                continue
            return path
        return None

    def rows(self) -> Iterator[Row]:
        """What was kept and not yet forgotten; a line cut short is left out."""
        for path in self.places:
            if not path.exists():
                continue
            for line in path.read_text().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                row["started_at"] = datetime.fromisoformat(row["started_at"])
                yield row

    def forget(self) -> None:
        """Remove the files, once their rows are in the store."""
        for path in self.places:
            path.unlink(missing_ok=True)


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_size if path.exists() else None
    try:
        with path.open("a") as file:
            path.chmod(0o600)
            file.write(text)
            file.flush()
    except OSError:
        _cut_back(path, before)
        raise


def _cut_back(path: Path, size: int | None) -> None:
    try:
        if size is None:
            path.unlink(missing_ok=True)
        else:
            with path.open("r+") as file:
                file.truncate(size)
    except OSError:
        pass


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
