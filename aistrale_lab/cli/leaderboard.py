"""`leaderboard`: who is best of many models, and who is tied with the best."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.tables import Column
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.showing import Showing, check_named, open_lab, show_columns
from aistrale_lab.logs import visible
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    import pandas as pd

    from aistrale_lab.analysis.leaderboard import Leaderboard


def leaderboard(which: str, showing: Showing, *, metric: str | None) -> Exit:
    """Rank the runs of an experiment over the samples that all of them answered."""
    check_named(which)
    with open_lab(showing) as lab:
        experiment = lab.experiment(which)
        board = experiment.leaderboard(metric)
        front = experiment.pareto_df(metric).set_index("run_id")
    if showing.json:
        emit_json(leaderboard_object(experiment.id, board, front))
        return Exit.DONE
    show_columns(_columns(board, front))
    emit(f"\n{visible(board.verdict)}\n")
    if not showing.quiet:
        for line in board.warnings:
            note(visible(line))
    return Exit.DONE


def leaderboard_object(
    experiment_id: str, board: "Leaderboard", front: "pd.DataFrame"
) -> dict[str, Any]:
    """What `--json` prints: runs best first, then all pairs, corrected for their number."""
    runs = _rows(board.to_df())
    for run in runs:
        run |= {
            name: _known(front[name].get(run["run_id"]))
            for name in ("cost_usd", "time_to_first_token_s", "on_front", "probability")
            if name in front
        }
    return {
        "experiment_id": experiment_id,
        "metric": board.metric,
        "n": board.n,
        "clustered_by": board.clustered_by,
        "tied": list(board.tied),
        "runs": runs,
        "pairs": _rows(board.pairs_df()),
        "dropped": dict(board.dropped),
        "warnings": list(board.warnings),
    }


def _columns(board: "Leaderboard", front: "pd.DataFrame") -> list[Column]:
    rows = _rows(board.to_df())
    is_binary = bool(((board.scores == 0) | (board.scores == 1)).all())
    shown = [
        figures.metric({**row, "value": row["mean"]}, binary=is_binary) for row in rows
    ]
    ratings = [
        figures.UNKNOWN if row["rating"] is None else f"{row['rating']:.0f}"
        for row in rows
    ]
    places = [_known(front["probability"].get(row["run_id"])) for row in rows]
    return [
        Column("model", [visible(row["model"]) for row in rows], numeric=False),
        Column(board.metric, [value for value, _ in shown]),
        Column("95 %\ninterval", [interval for _, interval in shown]),
        Column("n", [figures.count(row["n"]) for row in rows]),
        Column("rating", ratings),
        Column("95 %\ninterval", [_rating_interval(row) for row in rows]),
        Column("best", [_tie(row, board.tied) for row in rows], numeric=False),
        Column(
            "on the front",
            [figures.UNKNOWN if p is None else f"{p:.0%}" for p in places],
        ),
    ]


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


def _rows(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows of a frame, with None for what is missing."""
    return [
        {str(name): _known(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _known(value: Any) -> Any:
    import pandas as pd

    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
