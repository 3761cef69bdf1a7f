"""What is said of an experiment when it has ended, and the exit code that follows."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab import errors
from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.remarks import (
    denominator_lines,
    fault_lines,
    flag_lines,
    method_line,
    unscored_lines,
)
from aistrale_lab.analysis.summary import experiment_object, run_objects
from aistrale_lab.analysis.tables import summary_columns
from aistrale_lab.cli.exits import Exit, complain, worst
from aistrale_lab.cli.interrupt import resume_words
from aistrale_lab.cli.options import Showing
from aistrale_lab.cli.output import emit_json
from aistrale_lab.cli.showing import show_columns
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.execute import STOPPED
from aistrale_lab.errors import LabError, RunnerError, StoreError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    import pandas as pd


def report(
    lab: Lab,
    handle: RunHandle[Experiment],
    showing: Showing,
    *,
    fault: LabError | OSError | None,
    signalled: Exit | None,
    which: str,
) -> Exit:
    """Print the table or the JSON object, say what is missing, choose the exit code."""
    codes = {signalled or Exit.DONE, Exit.BROKEN if fault else Exit.DONE}
    if any(lane.over_budget for lane in handle.lanes):
        codes.add(Exit.BUDGET)
    if signalled is None and any(lane.reason == STOPPED for lane in handle.lanes):
        note(f"stopped from elsewhere; to go on: {resume_words(handle.experiment_id)}")
        codes.add(Exit.INTERRUPTED)
    try:
        experiment = lab.experiment(handle.experiment_id)
        runs = runs_of(experiment, which, experiment.results_df())
        scorers = experiment.scorers
    except StoreError as error:
        if fault is None:
            complain(error.message)
        return worst(codes | {Exit.BROKEN})
    show_runs(lab, experiment.id, runs, showing)
    codes |= {explain_runs(experiment.id, runs), explain_scores(runs, scorers)}
    _tell(denominator_lines(runs))
    if not showing.quiet:
        _tell(filter(None, [method_line(runs), *flag_lines(runs)]))
    return worst(codes)


def runs_of(
    experiment: Experiment, which: str, results: "pd.DataFrame"
) -> list[dict[str, Any]]:
    """The JSON objects of an experiment's runs, or of the one that was named."""
    runs = list(experiment.runs)
    if not experiment.id.startswith(which):
        runs = [run for run in runs if run.id.startswith(which)]
    return run_objects(runs, results, summary_df(results, runs))


def show_runs(
    lab: Lab, experiment_id: str, runs: Sequence[dict[str, Any]], showing: Showing
) -> None:
    """The table, or with --json the object of the contract."""
    if showing.json:
        emit_json(experiment_object(experiment_id, lab.store_url, runs))
    else:
        show_columns(summary_columns(runs))


def explain_runs(experiment_id: str, runs: Sequence[dict[str, Any]]) -> Exit:
    """Say on standard error what is missing, why, and how to get it.

    Returns FAILED if anything is missing.
    """
    told = fault_lines(runs)
    words = resume_words(experiment_id)
    if any(_may_pass(run) for run in runs):
        told.append(f"to go on: {words}")
    elif any(run["errors"] for run in runs):
        told.append(f"to send the failed samples again: {words} --failed")
    return _tell(told)


def explain_scores(runs: Sequence[dict[str, Any]], scorers: Sequence[str]) -> Exit:
    """Say which answers have no score; returns FAILED if there are any."""
    return _tell(unscored_lines(runs, scorers))


def _tell(lines: Iterable[str]) -> Exit:
    told = list(lines)
    for line in told:
        note(line)
    return Exit.FAILED if told else Exit.DONE


def _may_pass(run: dict[str, Any]) -> bool:
    """Whether `resume` would send something."""
    return run["status"] != RunStatus.COMPLETED or any(map(_is_passing, run["errors"]))


def _is_passing(error_type: str) -> bool:
    error = getattr(errors, error_type, None)
    if not (isinstance(error, type) and issubclass(error, RunnerError)):
        return False
    return error.transient or error.always_stops_lane
