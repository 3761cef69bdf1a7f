"""What all tables over several runs share: their types, their names, their metric."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from aistrale_lab.analysis.columns import SCORE, column
from aistrale_lab.errors import ValidationError
from aistrale_lab.store.records import RunRecord


def typed_frame(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]
) -> pd.DataFrame:
    """A frame with exactly those columns and types; what a row lacks is missing."""
    return pd.DataFrame(
        {
            name: column([row.get(name) for row in rows], dtype)
            for name, dtype in columns.items()
        }
    )


def model_names(runs: Iterable[RunRecord]) -> list[str]:
    """A name for each run that no other has: its model, and more only if needed.

    Runs of one model are told apart by their parameters, and by their ids if those are
    equal too.
    """
    listed = list(runs)
    asked = Counter(run.model for run in listed)
    names = [
        run.model if asked[run.model] == 1 else _with_params(run) for run in listed
    ]
    taken = Counter(names)
    return [
        name if taken[name] == 1 else f"{name} {run.id}"
        for name, run in zip(names, listed, strict=True)
    ]


def find_metric(results: pd.DataFrame, metric: str | None) -> str | None:
    """The metric asked for, else the first scorer with a score; None without scorers.

    Raises ValidationError, naming the metrics that there are, for another one.
    """
    known = [str(name)[len(SCORE) :] for name in results if str(name).startswith(SCORE)]
    if metric is None:
        scored = (name for name in known if results[f"{SCORE}{name}"].notna().any())
        return next(scored, known[0] if known else None)
    if metric not in known:
        there = f"there are {', '.join(known)}" if known else "the runs have no scorer"
        raise ValidationError(f"unknown metric {metric!r}; {there}")
    return metric


def get_metric(results: pd.DataFrame, metric: str | None) -> str:
    """As `find_metric`, but ValidationError if the runs have no scorer."""
    found = find_metric(results, metric)
    if found is None:
        raise ValidationError("the runs have no scorer, and so no metric")
    return found


def rows_of(results: pd.DataFrame, runs: Iterable[RunRecord]) -> list[pd.DataFrame]:
    """The results of each run, in the order of the runs; a run may have none."""
    places = results.groupby("run_id", sort=False, observed=True).indices
    return [results.iloc[places.get(run.id, [])] for run in runs]


def _with_params(run: RunRecord) -> str:
    params = ", ".join(f"{name}={value}" for name, value in run.params.items())
    return f"{run.model} ({params})" if params else run.model
