"""Samples asked more than once: how much each run's answers to them differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aistrale_lab.analysis.arrays import (
    LEVEL,
    FloatArray,
    IntArray,
    Interval,
    is_binary,
)
from aistrale_lab.analysis.clustering import cluster_labels
from aistrale_lab.analysis.columns import COUNT, FLOAT, SCORE, TEXT
from aistrale_lab.analysis.intervals import mean_interval
from aistrale_lab.analysis.repeats import (
    Reducer,
    pass_at_k,
    pass_hat_k,
    reduce_epochs,
    repeats,
    variance_parts,
)
from aistrale_lab.analysis.run_tables import (
    find_metric,
    model_names,
    rows_of,
    typed_frame,
)
from aistrale_lab.errors import ValidationError
from aistrale_lab.store.records import RunRecord

COLUMNS: Mapping[str, str] = {
    "run_id": TEXT,
    "model": TEXT,
    "metric": TEXT,
    "epochs": COUNT,
    "samples": COUNT,
    "n": COUNT,
    "distinct": FLOAT,
    "flip_rate": FLOAT,
    "entropy_bits": FLOAT,
    "k": COUNT,
    "pass_at_k": FLOAT,
    "pass_at_k_low": FLOAT,
    "pass_at_k_high": FLOAT,
    "pass_at_k_method": TEXT,
    "pass_hat_k": FLOAT,
    "pass_hat_k_low": FLOAT,
    "pass_hat_k_high": FLOAT,
    "pass_hat_k_method": TEXT,
    "pass_n": COUNT,
    "pass_left_out": COUNT,
    "between_variance": FLOAT,
    "within_variance": FLOAT,
}


def repeats_df(
    results: pd.DataFrame,
    runs: Sequence[RunRecord],
    metric: str | None = None,
    k: int | None = None,
    *,
    answers: str = "output",
    level: float = LEVEL,
) -> pd.DataFrame:
    """One row per run: how its answers to a sample differ, and how often k of k pass.

    `distinct`, `flip_rate` and `entropy_bits` are means over the `samples` answered
    twice or more (`n` answers), of the column `answers`; see `repeats`. `pass_at_k`
    (one of k is right) and `pass_hat_k` (all k are) are means over `pass_n` samples,
    clustered by group; `pass_left_out` have fewer than k scores. k is the number of
    epochs unless given. They are missing if scores are not 0 or 1. The variances of
    scores are those of `variance_parts`. Calls that failed count nowhere. Raises
    ValidationError if no run has more than one epoch, for k beyond the epochs, and for
    an unknown metric.
    """
    metric = find_metric(results, metric)
    by_run = rows_of(results, runs)
    epochs = [int(rows["epoch"].max()) if len(rows) else 0 for rows in by_run]
    k = _checked_k(k, max(epochs, default=0))
    rows = [
        {
            "run_id": run.id,
            "model": name,
            "metric": metric,
            "epochs": count,
            **_differences(own[own["error_type"].isna()], answers),
            **_scored(own[own["error_type"].isna()], metric, k, level),
        }
        for run, name, count, own in zip(
            runs, model_names(runs), epochs, by_run, strict=True
        )
    ]
    return typed_frame(rows, COLUMNS)


def _checked_k(k: int | None, epochs: int) -> int:
    if epochs < 2:
        raise ValidationError(
            "the runs have one epoch: repeats need samples that were asked more than "
            "once (epochs=2 or more)"
        )
    if k is not None and not 1 <= k <= epochs:
        raise ValidationError(f"k = {k} is not within 1 and the {epochs} epochs")
    return epochs if k is None else k


def _differences(answered: pd.DataFrame, answers: str) -> dict[str, Any]:
    known = answered[answered[answers].notna()]
    repeated = known[known["sample_id"].duplicated(keep=False)]
    found = repeats(
        pd.factorize(repeated[answers])[0], pd.factorize(repeated["sample_id"])[0]
    )
    counts = {"samples": len(found), "n": len(repeated)}
    if not found:
        return counts
    return {
        **counts,
        "distinct": float(np.mean([one.distinct for one in found])),
        "flip_rate": float(np.mean([one.flip_rate or 0.0 for one in found])),
        "entropy_bits": float(np.mean([one.entropy for one in found])),
    }


def _scored(
    answered: pd.DataFrame, metric: str | None, k: int, level: float
) -> dict[str, Any]:
    if metric is None:
        return {}
    scored = answered[answered[f"{SCORE}{metric}"].notna()]
    scores = scored[f"{SCORE}{metric}"].to_numpy(np.float64)
    codes, samples = pd.factorize(scored["sample_id"])
    parts = variance_parts(scores, codes)
    variances = {"between_variance": parts.between, "within_variance": parts.within}
    if not is_binary(scores):
        return variances
    groups = scored["group"][~scored["sample_id"].duplicated()].reset_index(drop=True)
    labels = cluster_labels(groups, pd.Series(samples, dtype="string"))
    found: dict[str, Any] = {"k": k, **variances}
    for name, reducer in (("pass_at_k", pass_at_k(k)), ("pass_hat_k", pass_hat_k(k))):
        interval, left_out = _passed(scores, codes, reducer, labels, level)
        found |= {
            name: interval.value,
            f"{name}_low": interval.low,
            f"{name}_high": interval.high,
            f"{name}_method": interval.method,
            "pass_n": interval.n,
            "pass_left_out": left_out,
        }
    return found


def _passed(
    scores: FloatArray,
    codes: IntArray,
    reducer: Reducer,
    labels: "pd.Series[str] | None",
    level: float,
) -> tuple[Interval, int]:
    """The mean over samples with its interval, and how many samples it leaves out."""
    reduced = reduce_epochs(scores, codes, reducer)
    groups = None if labels is None else labels.iloc[list(reduced.samples)]
    return mean_interval(reduced.values, groups, level), reduced.left_out
