"""Where words go: answers to standard output, everything else to standard error."""

import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 100_000
"""Columns that a table may take where nothing bounds it."""

Blocks = Sequence[Sequence[tuple[str, str]]]
"""The same table for a narrow screen: one block a row, each a list of (label, text).

The first entry of a block is its title; its label is not shown."""


def emit(text: str) -> None:
    """Write text to standard output, now; a reader that has gone is no fault."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        _silence()
        if error.errno != errno.EPIPE:
            error.filename = error.filename or "standard output"
            raise


def emit_json(content: Any) -> None:
    """One JSON value and a newline; NaN cannot stand in it."""
    emit(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def emit_table(table: "Table", blocks: Blocks) -> None:
    """A table whose cells are never cut, whatever the width.

    On a terminal that is too narrow the rows become blocks; elsewhere lines are as
    long as they must be.
    """
    console = make_console(sys.stdout)
    needed = width_of(table)
    if console.is_terminal and needed > console.width:
        return emit_blocks(blocks)
    wide = make_console(sys.stdout, width=needed)
    with wide.capture() as captured:
        wide.print(table)
    lines = (line.rstrip() for line in captured.get().splitlines())
    emit("".join(f"{line}\n" for line in lines))


def emit_blocks(blocks: Blocks) -> None:
    """Each row as a title and its labelled values, one below the other."""
    lines = []
    for (_, title), *entries in blocks:
        widest = max((len(label) for label, _ in entries), default=0)
        lines.append(title)
        lines += [f"  {label:<{widest}}  {text}" for label, text in entries]
        lines.append("")
    emit("".join(f"{line}\n" for line in lines))


def width_of(table: "Table") -> int:
    """The columns that a table takes if nothing is folded."""
    from rich.measure import Measurement

    console = make_console(sys.stdout)
    options = console.options.update(width=WIDEST)
    return Measurement.get(console, options, table).maximum


def tame_streams() -> None:
    """Let a stream with a small alphabet replace letters instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _silence() -> None:
    """Nothing more can be said there: let the interpreter's last flush succeed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
