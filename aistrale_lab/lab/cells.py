"""Which cell of which notebook starts a run, and whether the cells ran in their order.

The notebook is asked through what a running kernel has loaded; nothing is imported.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aistrale_lab.terminal import note

FROM_SERVER = "JPY_SESSION_NAME"
"""Where Jupyter's server tells a kernel the path of its notebook."""


def origin(notebook: str | None = None) -> dict[str, Any] | None:
    """The cell that runs now: `notebook`, `cell_id`, `execution_count`, `in_order`.

    `ran` tells the places of the cells that ran, counted from 1, if not in order.
    None outside of a notebook; unknown entries are None.
    """
    shell = _shell()
    if shell is None:
        return None
    path = notebook or os.environ.get(FROM_SERVER)
    cells = _code_cells(path)
    sources = [str(text) for text in shell.user_ns.get("In", [])[1:]]
    places = _places(cells, sources)
    in_order = is_in_order(places, cells) if cells and places else None
    told = {
        "notebook": path,
        "cell_id": _asked_cell(shell) or _matched_cell(cells, places, sources),
        "execution_count": len(sources),
        "in_order": in_order,
    }
    return told if in_order is not False else {**told, "ran": [n + 1 for n in places]}


def told_origin(notebook: str | None = None) -> dict[str, Any] | None:
    """`origin`, after a word on the terminal if cells ran out of order."""
    found = origin(notebook)
    if found is not None and found["in_order"] is False:
        note(words_of(found))
    return found


def is_in_order(places: Sequence[int], cells: Sequence[Mapping[str, Any]]) -> bool:
    """Whether cells ran from the top, none left out, none after a later one.

    A cell may run several times in a row; an empty cell may be left out.
    """
    told = [n for n, cell in enumerate(cells) if cell["source"]]
    ran = [n for k, n in enumerate(places) if k == 0 or places[k - 1] != n]
    return ran == [n for n in told if n <= ran[-1]]


def words_of(found: Mapping[str, Any]) -> str:
    """What a reader should know of a run whose cells ran in another order."""
    ran = ", ".join(map(str, found["ran"]))
    return (
        f"the notebook's cells ran in another order than they stand ({ran}): what this "
        "run says may not be seen again from the top; recorded with the run"
    )


def _shell() -> Any | None:
    """The kernel's shell, if this process is a kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell if hasattr(shell, "kernel") else None


def _asked_cell(shell: Any) -> str | None:
    """The cell's id, if the frontend sends it with the code."""
    try:
        found = shell.get_parent()["metadata"].get("cellId")
    except (AttributeError, KeyError, TypeError):
        return None
    return str(found) if found else None


def _matched_cell(
    cells: Sequence[Mapping[str, Any]], places: Sequence[int], sources: Sequence[str]
) -> str | None:
    """The id of the cell that has the source that runs now."""
    if not places or cells[places[-1]]["source"] != sources[-1].strip():
        return None
    found = cells[places[-1]]["id"]
    return str(found) if found else None


def _code_cells(path: str | None) -> list[dict[str, Any]]:
    """Id and source of the code cells on disk; empty if they cannot be read."""
    if path is None or not path.endswith(".ipynb"):
        return []
    try:
        cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
        return [
            {"id": cell.get("id"), "source": "".join(cell["source"]).strip()}
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _places(cells: Sequence[Mapping[str, Any]], sources: Sequence[str]) -> list[int]:
    """The places of the cells that ran; of what stands nowhere, nothing.

    Of equal cells the next one after the last that ran is meant.
    """
    found: list[int] = []
    for source in sources:
        same = [n for n, cell in enumerate(cells) if cell["source"] == source.strip()]
        if same and source.strip():
            last = found[-1] if found else -1
            found.append(next((n for n in same if n > last), same[-1]))
    return found
