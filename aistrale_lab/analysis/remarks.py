"""What a reader must know of runs besides their numbers, in sentences.

All are made from the runs' JSON objects; texts of others stand in them as they are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from aistrale_lab.domain.runs import RunStatus

Run = dict[str, Any]
"""A run's JSON object."""

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


def run_title(run: Run) -> str:
    """The model, and its parameters if it was asked with several."""
    params = ", ".join(f"{name}={value}" for name, value in run["params"].items())
    return f"{run['model']} {params}".strip()


def fault_lines(runs: Sequence[Run]) -> list[str]:
    """Which runs did not complete, and which samples failed, and why."""
    return [f"{run_title(run)}: {line}" for run in runs for line in _faults(run)]


def unscored_lines(runs: Sequence[Run], scorers: Sequence[str]) -> list[str]:
    """Which answers have no score."""
    told = []
    for run in runs:
        for name in scorers:
            missing = run["completed"] - run["metrics"].get(name, {"n": 0})["n"]
            if missing > 0:
                line = f"{missing:,} answers could not be scored by {name}"
                told.append(f"{run_title(run)}: {line}")
    return told


def denominator_lines(runs: Sequence[Run]) -> Iterator[str]:
    """What failed samples could do to each mean, and if they spoil comparisons."""
    for run in runs:
        for name, found in run["metrics"].items():
            means = run["denominators"][name]
            if not (run["failed"] and found["n"]) or means["if_failed_wrong"] is None:
                continue
            ends = means["if_failed_wrong"], found["value"], means["if_failed_right"]
            shown = " / ".join(f"{100 * end:.1f}" for end in ends)
            yield (
                f"{run_title(run)}: {name} is {shown} % with failed samples as wrong / "
                "left out / as right"
            )
    shares = [run["failed"] / run["samples"] for run in runs if run["samples"]]
    if len(set(shares)) > 1:
        told = ", ".join(f"{run_title(run)} {run['failed']:,}" for run in runs)
        yield (
            f"samples failed at other rates ({told}): the means are of other samples, "
            "compare them with care"
        )


def method_line(runs: Sequence[Run]) -> str:
    """How the intervals were made; empty if there are none."""
    told: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, found in run["metrics"].items():
            if found["ci_low"] is not None:
                method = METHODS.get(found["method"], found["method"])
                told.setdefault(name, {})[method] = None
    shown = "; ".join(f"{name} {', '.join(used)}" for name, used in told.items())
    return f"95 % intervals by: {shown}" if shown else ""


def flag_lines(runs: Sequence[Run]) -> Iterator[str]:
    """What else a reader should know of the answers."""
    for run in runs:
        for flag, n in run["flags"].items():
            if flag in REMARKS:
                yield f"{run_title(run)}: {n:,} answers {REMARKS[flag]} ({flag})"


def _faults(run: Run) -> Iterator[str]:
    if run["status"] != RunStatus.COMPLETED:
        yield f"{run['status']}: {run['reason'] or 'no reason was given'}"
    if run["failed"]:
        shown = ", ".join(f"{name} {n:,}" for name, n in failure_counts(run).items())
        yield f"{run['failed']:,} of {run['samples']:,} samples failed ({shown})"


def failure_counts(run: Run) -> dict[str, int]:
    """How many samples failed by each error type, and how many were not sent."""
    kinds = dict(run["errors"])
    unsent = run["failed"] - sum(kinds.values())
    return kinds | ({"not sent": unsent} if unsent > 0 else {})
