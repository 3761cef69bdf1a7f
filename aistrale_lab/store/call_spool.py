"""Calls that could not be stored: each group in a file of its own, until it can be.

Files are written whole and removed whole: processes that share the folder, or are
killed in the middle, neither lose nor double one.
"""

import json
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from platformdirs import user_state_path

from aistrale_lab.store.writing import Row


class CallSpool:
    """A folder of JSON-lines files beside the store, or in the user's own folder."""

    def __init__(self, store: Path | None, name: str) -> None:
        mark = sha256(name.encode()).hexdigest()[:12]
        own = user_state_path("aistrale") / f"calls-{mark}"
        self.folder = store.with_name(store.name + ".calls") if store else own

    def keep(self, rows: Sequence[Row]) -> None:
        """Write the rows to disk; raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{secrets.token_hex(8)}.jsonl"
        unfinished = path.with_suffix(".part")
        with os.fdopen(os.open(unfinished, _NEW, 0o600), "w") as file:
            file.writelines(json.dumps(row, default=_as_text) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)

    def files(self) -> list[Path]:
        """What was kept."""
        return sorted(self.folder.glob("*.jsonl"))


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def rows_in(path: Path) -> list[Row]:
    """The rows of a file; none if another process has taken them in meanwhile."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    rows = [json.loads(line) for line in lines]
    return [{**r, "started_at": datetime.fromisoformat(r["started_at"])} for r in rows]


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
