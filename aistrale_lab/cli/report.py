"""What is said of an experiment when it has ended, and the exit code that follows."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab import errors
from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.summary import experiment_object, run_objects
from aistrale_lab.analysis.tables import summary_columns
from aistrale_lab.cli.exits import Exit, complain, worst
from aistrale_lab.cli.interrupt import resume_words
from aistrale_lab.cli.output import emit_json
from aistrale_lab.cli.showing import Showing, show_columns
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import LabError, RunnerError, StoreError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    import pandas as pd

METHODS = {
    "wilson": "Wilson",
    "wilson_groups": "Wilson, one trial a group",
    "t": "Student's t",
    "clustered_t": "Student's t, clustered by group",
}
"""How intervals are made, in words."""

REMARKS = {
    "extra_choices": "held several choices; the first is kept",
    "loop_lag": "were timed while this machine was too busy to be exact",
    "model_differs": "came from another model than was asked for",
    "not_streamed": "came whole although a stream was asked for",
    "text_cleaned": "held characters that no database keeps; they were replaced",
    "usage_invalid": "came with token counts that cannot be",
    "usage_missing": "came without token counts",
}
"""What a reader should know of answers with these flags."""


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
    explain_denominators(runs)
    if not showing.quiet:
        explain_methods(runs)
        remark(runs)
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
    told = [f"{_title(run)}: {line}" for run in runs for line in _faults(run)]
    words = resume_words(experiment_id)
    if any(_may_pass(run) for run in runs):
        told.append(f"to go on: {words}")
    elif any(run["errors"] for run in runs):
        told.append(f"to send the failed samples again: {words} --failed")
    return _tell(told)


def explain_scores(runs: Sequence[dict[str, Any]], scorers: Sequence[str]) -> Exit:
    """Say which answers have no score; returns FAILED if there are any."""
    told = []
    for run in runs:
        for name in scorers:
            missing = run["completed"] - run["metrics"].get(name, {"n": 0})["n"]
            if missing > 0:
                line = f"{missing:,} answers could not be scored by {name}"
                told.append(f"{_title(run)}: {line}")
    return _tell(told)


def explain_denominators(runs: Sequence[dict[str, Any]]) -> None:
    """Say what failed samples could do to each mean, and if they spoil comparisons."""
    for run in runs:
        for name, found in run["metrics"].items():
            means = run["denominators"][name]
            if not (run["failed"] and found["n"]) or means["if_failed_wrong"] is None:
                continue
            ends = means["if_failed_wrong"], found["value"], means["if_failed_right"]
            shown = " / ".join(f"{100 * end:.1f}" for end in ends)
            note(
                f"{_title(run)}: {name} is {shown} % with failed samples as wrong / "
                "left out / as right"
            )
    shares = [run["failed"] / run["samples"] for run in runs if run["samples"]]
    if len(set(shares)) > 1:
        told = ", ".join(f"{_title(run)} {run['failed']:,}" for run in runs)
        note(
            f"samples failed at other rates ({told}): the means are of other samples, "
            "compare them with care"
        )


def explain_methods(runs: Sequence[dict[str, Any]]) -> None:
    """Say how the intervals were made."""
    told: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, found in run["metrics"].items():
            if found["ci_low"] is not None:
                method = METHODS.get(found["method"], found["method"])
                told.setdefault(name, {})[method] = None
    if told:
        shown = "; ".join(f"{name} {', '.join(used)}" for name, used in told.items())
        note(f"95 % intervals by: {shown}")


def remark(runs: Sequence[dict[str, Any]]) -> None:
    """Say what else a reader should know of the answers."""
    for run in runs:
        for flag, n in run["flags"].items():
            if flag in REMARKS:
                note(f"{_title(run)}: {n:,} answers {REMARKS[flag]} ({flag})")


def _tell(lines: Sequence[str]) -> Exit:
    for line in lines:
        note(line)
    return Exit.FAILED if lines else Exit.DONE


def _title(run: dict[str, Any]) -> str:
    params = ", ".join(f"{name}={value}" for name, value in run["params"].items())
    return f"{run['model']} {params}".strip()


def _faults(run: dict[str, Any]) -> Iterator[str]:
    if run["status"] != RunStatus.COMPLETED:
        yield f"{run['status']}: {run['reason'] or 'no reason was given'}"
    if run["failed"]:
        kinds = dict(run["errors"])
        unsent = run["failed"] - sum(kinds.values())
        kinds |= {"not sent": unsent} if unsent > 0 else {}
        shown = ", ".join(f"{name} {n:,}" for name, n in kinds.items())
        yield f"{run['failed']:,} of {run['samples']:,} samples failed ({shown})"


def _may_pass(run: dict[str, Any]) -> bool:
    """Whether `resume` would send something."""
    return run["status"] != RunStatus.COMPLETED or any(map(_is_passing, run["errors"]))


def _is_passing(error_type: str) -> bool:
    error = getattr(errors, error_type, None)
    if not (isinstance(error, type) and issubclass(error, RunnerError)):
        return False
    return error.transient or error.always_stops_lane
