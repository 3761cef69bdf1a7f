"""A leaderboard as people read it: ranks, all pairs, and the groups of the samples."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.leaderboard import Leaderboard
from aistrale_lab.analysis.tables import Column
from aistrale_lab.logs import visible


def leaderboard_columns(
    board: Leaderboard, front: pd.DataFrame | None = None
) -> list[Column]:
    """One row per run, best first; with `front`, how likely it is on the Pareto front.

    `front` has the columns of `pareto_df`.
    """
    rows = plain_rows(board.to_df())
    shown = [_mean(row, binary=board.is_binary) for row in rows]
    ratings = [
        figures.UNKNOWN if row["rating"] is None else f"{row['rating']:.0f}"
        for row in rows
    ]
    columns = [
        _names("model", rows),
        Column(visible(board.metric), [value for value, _ in shown]),
        Column("95 %\ninterval", [interval for _, interval in shown]),
        Column("n", [figures.count(row["n"]) for row in rows]),
        Column("rating", ratings),
        Column("95 %\ninterval", [_rating_interval(row) for row in rows]),
        Column("best", [_tie(row, board.tied) for row in rows], numeric=False),
    ]
    if front is not None:
        places = front.set_index("run_id")["probability"]
        likely = [plain(places.get(row["run_id"])) for row in rows]
        shares = [figures.UNKNOWN if p is None else f"{100 * p:.0f} %" for p in likely]
        columns.append(Column("on the front", shares))
    return columns


def pair_columns(board: Leaderboard) -> list[Column]:
    """One row per pair of runs, the better one first: the intervals hold together."""
    rows = plain_rows(board.pairs_df())
    kept = ("difference", "ci_low", "ci_high")
    shown = [
        figures.compared(
            board.metric,
            {name: row[name] for name in kept}
            | {"baseline": None, "candidate": None, "binary": board.is_binary},
        )
        for row in rows
    ]
    verdicts = ["tied" if row["tied"] else "better" for row in rows]
    return [
        _names("candidate", rows),
        _names("baseline", rows),
        Column("difference", [cells.difference for cells in shown]),
        Column("95 %\ninterval", [cells.interval for cells in shown]),
        Column("p\nHolm", [figures.probability(row["p_holm"]) for row in rows]),
        Column("candidate is", verdicts, numeric=False),
    ]


def group_columns(board: Leaderboard) -> list[Column]:
    """One row per group, one column per run: its mean over that group alone.

    The second line of a cell is the interval.
    """
    rows = plain_rows(board.groups_df())
    groups = list(dict.fromkeys(row["group"] for row in rows))
    names = list(dict.fromkeys(row["model"] for row in rows))
    found = {(row["group"], row["model"]): row for row in rows}
    titles = ["(no group)" if group is None else visible(group) for group in groups]
    sizes = [figures.count(found[group, names[0]]["n"]) for group in groups]
    columns = [Column("group", titles, numeric=False), Column("n", sizes)]
    for name in names:
        cells = [
            "\n".join(_mean(found[group, name], binary=board.is_binary)).strip()
            for group in groups
        ]
        columns.append(Column(visible(name), cells))
    return columns


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, with None for what is missing."""
    return [
        {str(name): plain(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def plain(value: Any) -> Any:
    """A value of a frame as Python's own; None if it is missing."""
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _names(field: str, rows: Sequence[dict[str, Any]]) -> Column:
    return Column(field, [visible(row[field]) for row in rows], numeric=False)


def _mean(row: dict[str, Any], *, binary: bool) -> tuple[str, str]:
    return figures.metric({**row, "value": row["mean"]}, binary=binary)


def _rating_interval(row: dict[str, Any]) -> str:
    ends = row["rating_low"], row["rating_high"]
    if ends == (None, None):
        return ""
    low, high = (figures.UNKNOWN if end is None else f"{end:.0f}" for end in ends)
    return f"[{low}, {high}]"


def _tie(row: dict[str, Any], tied: Sequence[str]) -> str:
    if row["tied_with_best"] is None:
        return figures.UNKNOWN
    if not row["tied_with_best"]:
        return "no"
    return "yes" if len(tied) == 1 else "may be"
