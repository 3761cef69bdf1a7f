"""The index page of a batch: its points, and the links to what each left behind."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from aistrale_lab.analysis import figures
from aistrale_lab.errors import ValidationError
from aistrale_lab.logs import redact
from aistrale_lab.report.render import page
from aistrale_lab.report.texts import name, shown

_USERINFO = re.compile(r"(?<=//)[^/@\s]*@")

GOOD = frozenset({"completed", "done"})
BAD = frozenset({"failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class Target:
    """A text that leads to a file, or to nothing yet; the path as in `PointRow`."""

    text: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class PointRow:
    """A point of a batch: its parameters, how it ended, and where it left its files.

    `notebook` and `export` are paths relative to the page (forward slashes), None where
    there is no such file. `metrics` are values as they are to be read; a second line,
    of a name or a value, stands small below the first.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    status: str = "completed"
    run_ids: Sequence[str] = ()
    notebook: str | None = None
    export: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def index_page(
    title: str,
    rows: Sequence[PointRow],
    *,
    batch_id: str = "",
    store: str = "",
    reports: Sequence[Target] = (),
) -> str:
    """The page as HTML that loads nothing and runs nothing.

    `store` is shown as text, without a password even if it has one; `reports` are those
    of its experiments. Raises ValidationError for a path that is not relative or leads
    out of the page's folder.
    """
    known = {
        "batch": name(batch_id),
        "store": shown(redact(_USERINFO.sub("", store))),
    }
    parameters = dict.fromkeys(key for row in rows for key in row.parameters)
    metrics = dict.fromkeys(key for row in rows for key in row.metrics)
    return page(
        "index.html.jinja",
        title=shown(title),
        figures={"points": f"{len(rows):,}", **_states(rows)}.items(),
        facts=[(label, text) for label, text in known.items() if text],
        reports=[(name(one.text), link(one.path)) for one in reports],
        parameters=[name(key) for key in parameters],
        metrics=[_lines(key) for key in metrics],
        rows=[_row(row, list(parameters), list(metrics)) for row in rows],
    )


def link(path: str | None) -> str | None:
    """A relative path as a link; whatever it holds, it names no other place."""
    if path is None:
        return None
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path:
        raise ValidationError(f"{path!r} is not a path within the page's folder")
    return f"./{quote(str(parts))}"


def _row(
    row: PointRow, parameters: Sequence[str], metrics: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": name(row.name),
        "note": shown(redact(row.note)) if row.note else "",
        "parameters": [_told(row.parameters.get(key)) for key in parameters],
        "status": name(row.status),
        "tone": "good" if row.status in GOOD else "bad" if row.status in BAD else "",
        "metrics": [_lines(row.metrics.get(key, figures.UNKNOWN)) for key in metrics],
        "notebook": link(row.notebook),
        "export": link(row.export),
        "run_ids": [name(run_id) for run_id in row.run_ids],
    }


def _told(value: Any) -> str:
    return figures.UNKNOWN if value is None else name(value)


def _lines(text: str) -> tuple[str, str]:
    """What stands in front of the eye, and what small below it."""
    first, _, rest = text.partition("\n")
    return name(first), name(rest)


def _states(rows: Sequence[PointRow]) -> dict[str, str]:
    states = [row.status for row in rows]
    return {name(state): f"{states.count(state):,}" for state in dict.fromkeys(states)}
