"""What is said of an experiment when it has ended, and the exit code that follows."""

from collections.abc import Iterator, Sequence
from typing import Any

from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.summary import experiment_object, run_objects
from aistrale_lab.cli.exits import Exit, complain, worst
from aistrale_lab.cli.interrupt import resume_words
from aistrale_lab.cli.output import emit_json, note
from aistrale_lab.cli.showing import Showing, show_columns
from aistrale_lab.cli.tables import summary_columns
from aistrale_lab.errors import LabError, StoreError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle


def report(
    lab: Lab,
    handle: RunHandle[Experiment],
    showing: Showing,
    *,
    fault: LabError | None,
    signalled: Exit | None,
    which: str,
) -> Exit:
    """Print the table or the JSON object, say what is missing, choose the exit code."""
    codes = {signalled or Exit.DONE, Exit.BROKEN if fault else Exit.DONE}
    if any(lane.over_budget for lane in handle.lanes):
        codes.add(Exit.BUDGET)
    try:
        runs = runs_of(lab.experiment(handle.experiment_id), which)
    except StoreError as error:
        if fault is None:
            complain(error.message)
        return worst(codes | {Exit.BROKEN})
    if any(map(is_missing, runs)):
        codes.add(Exit.FAILED)
    show_runs(lab, handle.experiment_id, runs, showing)
    explain_runs(handle.experiment_id, runs)
    return worst(codes)


def runs_of(experiment: Experiment, which: str) -> list[dict[str, Any]]:
    """The JSON objects of an experiment's runs, or of the one that was named."""
    runs = list(experiment.runs)
    if not experiment.id.startswith(which):
        runs = [run for run in runs if run.id.startswith(which)]
    results = experiment.results_df()
    return run_objects(runs, results, summary_df(results, runs))


def show_runs(
    lab: Lab, experiment_id: str, runs: Sequence[dict[str, Any]], showing: Showing
) -> None:
    """The table, or with --json the object of the contract."""
    if showing.json:
        emit_json(experiment_object(experiment_id, lab.store_url, runs))
    else:
        show_columns(summary_columns(runs))


def is_missing(run: dict[str, Any]) -> bool:
    """Whether a sample, or the score of an answer, is not there."""
    return run["completed"] < run["samples"] or any(unscored(run).values())


def unscored(run: dict[str, Any]) -> dict[str, int]:
    """For each scorer the answers that it could not score."""
    return {
        name: run["completed"] - metric["n"] for name, metric in run["metrics"].items()
    }


def explain_runs(experiment_id: str, runs: Sequence[dict[str, Any]]) -> None:
    """Say on standard error what is missing, why, and how to get it."""
    for run in runs:
        for line in _faults(run):
            note(f"{run['model']}: {line}")
    if any(_may_be_resumed(run) for run in runs):
        note(f"to go on: {resume_words(experiment_id)}")


def _faults(run: dict[str, Any]) -> Iterator[str]:
    if run["status"] != "completed":
        yield f"{run['status']}: {run['reason'] or 'no reason was given'}"
    if run["failed"]:
        kinds = ", ".join(f"{name} {n:,}" for name, n in run["errors"].items())
        yield f"{run['failed']:,} of {run['samples']:,} samples failed ({kinds})"
    for name, n in unscored(run).items():
        if n > 0:
            yield f"{n:,} answers could not be scored by {name}"


def _may_be_resumed(run: dict[str, Any]) -> bool:
    return bool(run["completed"] < run["samples"])
