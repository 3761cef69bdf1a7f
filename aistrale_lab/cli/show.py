"""`runs`, `show`, `score` and `export`: what the store holds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.analysis.summary import list_object
from aistrale_lab.analysis.tables import list_columns, minute, summary_columns
from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit, emit_blocks, emit_json
from aistrale_lab.cli.ending import explain_scores, runs_of, show_runs
from aistrale_lab.cli.showing import check_named, open_lab, show_columns
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.logs import visible
from aistrale_lab.scorers.base import parse_spec
from aistrale_lab.terminal import note

LONGEST = 400
"""Characters of a text that are shown; `export` writes all of them."""


def list_runs(showing: Showing, *, limit: int | None) -> Exit:
    """All runs of the store, newest first."""
    with open_lab(showing) as lab:
        runs = [list_object(run) for run in lab.runs(limit)]
    if showing.json:
        emit_json(runs)
    elif runs:
        show_columns(list_columns(runs))
    else:
        note("no runs yet; aistrale demo makes some")
    return Exit.DONE


def show(which: str, showing: Showing, *, limit: int, failed: bool) -> Exit:
    """One run, or all of an experiment: its settings, its summary, some answers."""
    with open_lab(showing) as lab:
        experiment = find_experiment(lab, which)
        results = experiment.results_df()
        runs = runs_of(experiment, which, results)
        records = {run.id: run for run in experiment.runs}
    results = results[results["run_id"].isin([run["run_id"] for run in runs])]
    if failed:
        results = results[results["error_type"].notna()]
    details = [_details(records[run["run_id"]]) | run for run in runs]
    if showing.json:
        emit_json(details[0] if len(details) == 1 else details)
        return Exit.DONE
    emit_blocks([_head(run) for run in details])
    show_columns(summary_columns(runs))
    emit("\n")
    emit_blocks([_answer(row) for row in results.head(limit).to_dict("records")])
    if len(results) > limit:
        note(f"{len(results) - limit:,} more; --limit N shows them, export writes all")
    return Exit.DONE


def score(which: str, scorers: Sequence[str], showing: Showing) -> Exit:
    """Score stored answers again, without a single call."""
    if not scorers:
        raise ValidationError("no scorer is named; for example --scorer number")
    names = [parse_spec(text).name for text in scorers]
    with open_lab(showing) as lab:
        experiment = find_experiment(lab, which)
        scored = lab.score(which, list(scorers))
        runs = runs_of(experiment, which, experiment.results_df())
        show_runs(lab, experiment.id, runs, showing)
    if not showing.quiet:
        note(f"{scored:,} answers scored by {', '.join(scorers)}; nothing was sent")
    return explain_scores(runs, names)


def export(which: str, file: Path, showing: Showing, *, raw: bool) -> Exit:
    """Write results to a file: Parquet, CSV or JSONL, by its suffix."""
    check_named(which)
    with open_lab(showing) as lab:
        rows = lab.export(which, file, raw=raw)
    if showing.json:
        emit_json({"file": str(file), "rows": rows})
    elif not showing.quiet:
        note(f"{rows:,} rows written to {file}")
    return Exit.DONE


def find_experiment(lab: Lab, which: str) -> Experiment:
    """The experiment of that id, or the one that a run of that id belongs to."""
    check_named(which)
    try:
        return lab.experiment(which)
    except NotFoundError:
        return lab.experiment(lab.run_record(which).experiment_id)


def _details(run: Any) -> dict[str, Any]:
    """What a run's record knows beyond the summary."""
    moments = {
        name: moment and moment.isoformat()
        for name, moment in (
            ("created_at", run.created_at),
            ("started_at", run.started_at),
            ("finished_at", run.finished_at),
        )
    }
    return {
        "experiment_id": run.experiment_id,
        "name": run.name,
        "base_url": run.base_url,
        "config": dict(run.config),
        "stream": run.stream,
        **moments,
    }


def _head(run: dict[str, Any]) -> list[tuple[str, str]]:
    settings = {**run["config"], **run["params"]}
    shown = {
        "model": run["model"],
        "experiment": f"{run['experiment_id']} ({run['name']})",
        "status": run["status"] + (f": {run['reason']}" if run["reason"] else ""),
        "base URL": run["base_url"],
        "settings": ", ".join(f"{k}={v}" for k, v in settings.items() if v != {}),
        "created": minute(run["created_at"]),
    }
    title = ("run", f"run {run['run_id']}")
    return [title, *((k, visible(str(v))) for k, v in shown.items() if v)]


def _answer(row: dict[Any, Any]) -> list[tuple[str, str]]:
    """One stored result, its texts in one line each and control characters visible."""
    scores = {
        str(name)[len(SCORE) :]: value
        for name, value in row.items()
        if str(name).startswith(SCORE) and not pd.isna(value)
    }
    error = None if pd.isna(row["error"]) else f"{row['error_type']}: {row['error']}"
    title = f"{row['model']} · sample {row['sample_id']} · epoch {row['epoch']}"
    shown = {
        "input": row["input"],
        "target": row["target"],
        "output": None if error else row["output"],
        "error": error,
        "scores": ", ".join(f"{name} {value:g}" for name, value in scores.items()),
    }
    lines = ((k, _one_line(v)) for k, v in shown.items() if not pd.isna(v) and v != "")
    return [("sample", _one_line(title)), *lines]


def _one_line(text: str) -> str:
    more = len(text) - LONGEST
    cut = f"{text[:LONGEST]} … ({more:,} more characters)" if more > 0 else text
    return visible(cut.replace("\n", "⏎"))
