"""Tables of a report: cells of bounded length, rows of bounded number."""

from collections.abc import Sequence
from dataclasses import replace

from aistrale_lab.analysis.tables import Column
from aistrale_lab.report.description import Bar, Grid
from aistrale_lab.report.texts import NAME, shown

ROWS = 200
"""Rows of a table; what is left out is said under it."""


def grid(
    columns: Sequence[Column],
    *,
    caption: str = "",
    bars: Sequence[Bar | None] = (),
    after: int = 1,
    axis: tuple[str, str] = ("", ""),
    zero: float | None = None,
    legend: str = "",
    links: Sequence[str] = (),
) -> Grid:
    """The columns as a table of a report; `bars` and `links` have one for each row."""
    more = max(0, len(columns[0].cells) - ROWS) if columns else 0
    return Grid(
        [_cut(column) for column in columns],
        caption=caption,
        note=f"{more:,} more rows are left out here" if more else "",
        bars=bars[:ROWS],
        after=after,
        axis=axis,
        zero=zero,
        legend=legend,
        links=links[:ROWS],
    )


def _cut(column: Column) -> Column:
    cells = [shown(cell, NAME) for cell in column.cells[:ROWS]]
    return replace(column, heading=shown(column.heading, NAME), cells=cells, styles=())
