"""`leaderboard`: who is best of many models, and who is tied with the best."""

from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis.leaderboard_tables import (
    leaderboard_columns,
    plain,
    plain_rows,
)
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_json
from aistrale_lab.cli.showing import check_named, open_lab, show_columns
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
        front = experiment.pareto_df(metric)
    if showing.json:
        emit_json(leaderboard_object(experiment.id, board, front))
        return Exit.DONE
    show_columns(leaderboard_columns(board, front))
    emit(f"\n{visible(board.verdict)}\n")
    if not showing.quiet:
        for line in board.warnings:
            note(visible(line))
    return Exit.DONE


def leaderboard_object(
    experiment_id: str, board: "Leaderboard", front: "pd.DataFrame"
) -> dict[str, Any]:
    """What `--json` prints: runs best first, then all pairs, corrected for their number."""
    runs = plain_rows(board.to_df())
    places = front.set_index("run_id")
    for run in runs:
        run |= {
            name: plain(places[name].get(run["run_id"]))
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
        "pairs": plain_rows(board.pairs_df()),
        "dropped": dict(board.dropped),
        "warnings": list(board.warnings),
    }
