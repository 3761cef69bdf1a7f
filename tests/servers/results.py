"""Runs and their results as values, for what reads frames."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from aistrale_lab.analysis.columns import RESULT_COLUMNS, SCORE, column
from aistrale_lab.analysis.compare import Side
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.store.records import ExperimentRecord, RunRecord

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def results(n: int, **columns: Sequence[Any]) -> pd.DataFrame:
    """A frame of n results; `score_<scorer>` columns are scores."""
    given: dict[str, Sequence[Any]] = {
        "sample_id": [str(place) for place in range(n)],
        "epoch": [1] * n,
        **columns,
    }
    frame = {
        name: column(list(given.get(name, [None] * n)), kind)
        for name, kind in RESULT_COLUMNS.items()
    }
    for name, values in given.items():
        if name.startswith(SCORE):
            frame[name] = column(list(values), "float64")
    return pd.DataFrame(frame)


def run_record(model: str, n: int, **changes: Any) -> RunRecord:
    """A completed run of n samples."""
    plain: dict[str, Any] = {
        "id": f"run-{model}",
        "experiment_id": "e1",
        "name": "sums",
        "position": 0,
        "provider": "openai",
        "model_name": model,
        "base_url": None,
        "params": {},
        "config": {},
        "stream": True,
        "status": RunStatus.COMPLETED,
        "reason": None,
        "planned": n,
        "completed": n,
        "failed": 0,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": NOW,
    }
    return RunRecord.model_validate(plain | changes)


def experiment_record(
    dataset: str = "d1", prompt: str = "{{ input }}", **task: Any
) -> ExperimentRecord:
    """An experiment that asked a dataset with a prompt."""
    return ExperimentRecord(
        id="e1",
        name="sums",
        identity="i1",
        dataset=dataset,
        task={"prompt": {"template": prompt}, **task},
        tags={},
        provenance={},
        created_at=NOW,
    )


def side(
    model: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    asked: ExperimentRecord | None = None,
    **run: Any,
) -> Side:
    """One side of a comparison; the columns have as many values as there are results."""
    n = len(next(iter(columns.values())))
    record = run_record(model, n, **run)
    return record, asked or experiment_record(), results(n, **columns)


def several(
    answers: Mapping[str, Mapping[str, Sequence[Any]]], **run: Any
) -> tuple[list[RunRecord], pd.DataFrame]:
    """A run for each model, and the results of all of them in one frame."""
    runs, frames = [], []
    for model, columns in answers.items():
        n = len(next(iter(columns.values())))
        runs.append(run_record(model, n, **run))
        frames.append(results(n, run_id=[runs[-1].id] * n, **columns))
    return runs, pd.concat(frames, ignore_index=True)
