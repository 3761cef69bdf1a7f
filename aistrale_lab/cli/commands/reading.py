"""The commands over what is stored already: no model is asked."""

from pathlib import Path
from typing import Annotated

import typer

from aistrale_lab.cli import options as o


def runs(
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the newest N.")
    ] = None,
    store: o.Store = None,
    json: o.Json = False,
) -> int:
    """List the runs of the store, newest first."""
    from aistrale_lab.cli import show as command

    return command.list_runs(o.Showing(store, json), limit=limit)


def show(
    which: o.Which,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="How many answers to show.")
    ] = 5,
    failed: Annotated[
        bool, typer.Option("--failed", help="Show only the samples that failed.")
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
) -> int:
    """Show a run: its settings, its summary, and its first answers."""
    from aistrale_lab.cli import show as command

    return command.show(which, o.Showing(store, json), limit=limit, failed=failed)


def compare(
    baseline: Annotated[
        str, typer.Argument(metavar="BASELINE", help="A run's id, or its beginning.")
    ],
    candidate: Annotated[
        str, typer.Argument(metavar="CANDIDATE", help="The run held against it.")
    ],
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="A gate on a difference, such as 'number >= -0.01': the whole interval "
            "must lie there, or the exit code is 1. May be given several times.",
        ),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Pair runs of other datasets or prompts too."),
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Say whether one run is better than another, and how sure that is.

    `aistrale compare BASELINE CANDIDATE --require "exact > 0"`
    """
    from aistrale_lab.cli import compare as command

    return command.compare(
        baseline,
        candidate,
        o.Showing(store, json, quiet),
        require=require or (),
        anyway=anyway,
    )


def leaderboard(
    which: o.Which,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The scorer to rank by. Default: the first."),
    ] = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Rank the models of an experiment, and say who is tied with the best."""
    from aistrale_lab.cli import leaderboard as command

    return command.leaderboard(which, o.Showing(store, json, quiet), metric=metric)


def score(
    which: o.Which,
    scorer: o.Scorers = None,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Score stored answers again, without a single call.

    `aistrale score RUN --scorer exact --scorer "year=pattern:19[0-9][0-9]"`
    """
    from aistrale_lab.cli import show as command

    return command.score(which, scorer or (), o.Showing(store, json, quiet))


def export(
    which: o.Which,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Its suffix chooses: .jsonl, .csv or .parquet."
        ),
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Leave formulas in CSV cells as they are.")
    ] = False,
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write results to a file, one row per answer.

    In CSV, a cell that a spreadsheet would take for a formula gets an apostrophe in
    front. A file that exists is replaced only once the new one is complete.
    """
    from aistrale_lab.cli import show as command

    return command.export(which, file, o.Showing(store, json, quiet), raw=raw)


def report(
    which: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="An id, or an unambiguous beginning of one."
        ),
    ],
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", help="Its suffix chooses: .html or .md."),
    ],
    title: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Its heading. Default: the name."),
    ] = "",
    store: o.Store = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the report of an experiment as one file, to read and to pass on.

    What was asked, where it comes from, leaderboards with intervals, plots, the two
    best compared, worst and flipped samples, failures, cost. A page loads nothing and
    runs nothing. Persons and machines are not named in it.

    `aistrale report EXPERIMENT --to report.html --title "Which model adds best?"`
    """
    from aistrale_lab.cli import reporting as command

    return command.report(which, to, o.Showing(store, json, quiet), title=title)
