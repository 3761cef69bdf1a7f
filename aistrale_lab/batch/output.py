"""The notebook that a point leaves behind: small, static, without keys, whole."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistrale_lab.logs import redact

if TYPE_CHECKING:
    from nbformat import NotebookNode

LIVE = "application/vnd.jupyter.widget-view+json"
"""What shows nothing without a kernel; its static twin stands beside it."""

LARGEST = 200_000
"""Characters of a cell's outputs, as they stand in the file."""

KEPT_TEXT = 20_000
"""Characters that are kept of a text which makes a cell too large."""

PART = ".part"
"""How a file ends that is not whole yet."""


def make_static(notebook: "NotebookNode") -> None:
    """Leave what shows without a kernel, and of each cell no more than fits."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for shown in cell.get("outputs", ()):
            shown.get("data", {}).pop(LIVE, None)
        if cell.cell_type == "code" and _size(cell.outputs) > LARGEST:
            _shorten(cell.outputs)


def add_record(notebook: "NotebookNode", facts: Mapping[str, Any], lines: str) -> None:
    """The facts in the notebook's metadata, and a last cell that a person reads."""
    import nbformat

    notebook.metadata["aistrale"] = dict(facts)
    cell = nbformat.v4.new_markdown_cell(lines)  # type: ignore[no-untyped-call]
    cell.id = "aistrale-record"
    cell.metadata["tags"] = ["aistrale-record"]
    notebook.cells.append(cell)


def write_notebook(notebook: "NotebookNode", path: Path, secrets: Any = ()) -> None:
    """Write the notebook whole or not at all, with every known key taken out.

    Raises OSError, and leaves an older file as it is.
    """
    import nbformat

    clean = nbformat.from_dict(  # type: ignore[no-untyped-call]
        _redacted(notebook, tuple(secrets))
    )
    text = nbformat.writes(clean)  # type: ignore[no-untyped-call]
    write_whole(path, f"{text}\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and move it there; raises OSError."""
    with _part_of(path) as part:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left unfinished."""
    for part in folder.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}{PART}")
    try:
        yield part
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _redacted(value: Any, secrets: tuple[str, ...]) -> Any:
    """The value with keys taken out of every text, and of every key of a mapping."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping):
        return {
            redact(str(k), secrets): _redacted(v, secrets) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(one, secrets) for one in value]
    return value


def _size(outputs: Any) -> int:
    return len(json.dumps(outputs, ensure_ascii=False))


def _shorten(outputs: list[Any]) -> None:
    """Cut texts, leave out the largest displays, then what comes last."""
    for shown in outputs:
        if shown.output_type == "stream":
            shown.text = _cut(shown.text)
        if shown.output_type == "error":
            shown.traceback = [_cut("\n".join(shown.traceback))]
    sizes = [_size(shown) for shown in outputs]
    total = sum(sizes) + 2 * len(sizes)
    for place in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        shown = outputs[place]
        if total > LARGEST and "data" in shown:
            plain = _cut("".join(shown.data.get("text/plain", "")))
            told = (
                f"[a display of {sizes[place]:,} characters was left out of this file]"
            )
            shown.data = {"text/plain": f"{plain}\n{told}".strip()}
            total += _size(shown) - sizes[place]
            sizes[place] = _size(shown)
    room = LARGEST - 2
    for place, size in enumerate(sizes):
        room -= size + 2
        if room < 0:
            del outputs[place:]
            return


def _cut(text: str) -> str:
    if len(text) <= KEPT_TEXT:
        return text
    half = KEPT_TEXT // 2
    left = len(text) - 2 * half
    return f"{text[:half]}\n[{left:,} characters left out]\n{text[-half:]}"
