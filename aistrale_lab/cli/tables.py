"""Tables on the screen of a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.output import Blocks

if TYPE_CHECKING:
    from rich.table import Table


def make_table(columns: Sequence[Column]) -> "Table":
    """The columns as a table for the screen; nothing in it is ever folded."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="right" if column.numeric else "left",
            no_wrap=True,
        )
    for row in range(len(columns[0].cells) if columns else 0):
        table.add_row(
            *(
                Text(c.cells[row], style=c.styles[row] if c.styles else "")
                for c in columns
            )
        )
    return table


def make_blocks(columns: Sequence[Column]) -> Blocks:
    """The same rows one below the other, for a narrow screen."""
    rows = range(len(columns[0].cells) if columns else 0)
    return [[(c.label, c.cells[row]) for c in columns] for row in rows]
