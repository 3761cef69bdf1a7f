"""The JSON objects of the command line's contract, as functions over frames.

Numbers are left unrounded; what is unknown is None.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.analysis.compare import Compared, Comparison
from aistrale_lab.analysis.metrics import percentile
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.store.records import RunRecord

QUANTILES = (50, 95, 99)
TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
LATENCIES = {
    "duration_s": "duration_s",
    "time_to_first_token_s": "time_to_first_token_s",
    "queue_s": "queue_s",
}
"""The names in the object, and the columns that they summarise."""


def experiment_object(
    experiment_id: str, store: str, runs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What `run` and `resume` print."""
    return {"experiment_id": experiment_id, "store": store, "runs": list(runs)}


def run_objects(
    runs: Iterable[RunRecord], results: pd.DataFrame, summary: pd.DataFrame
) -> list[dict[str, Any]]:
    """One object per run, in the order given, over all its stored results.

    `results` and `summary` are the frames of those runs. `samples` counts samples
    x epochs as planned; what a dead lane left unsent counts as failed.
    """
    by_run = dict(tuple(results.groupby("run_id", sort=False, observed=True)))
    metrics = dict(tuple(summary.groupby("run_id", sort=False, observed=True)))
    return [
        run_object(run, by_run.get(run.id, results.iloc[:0]), metrics.get(run.id))
        for run in runs
    ]


def run_object(
    run: RunRecord, results: pd.DataFrame, summary: pd.DataFrame | None
) -> dict[str, Any]:
    """One run with its metrics, tokens, cost, times and errors."""
    answered = results[results["error_type"].isna()]
    return {
        "run_id": run.id,
        "model": run.model,
        "params": dict(run.params),
        "status": run.status.value,
        "reason": run.reason,
        "samples": run.planned,
        "completed": run.completed,
        "failed": failed_samples(run),
        "metrics": _metrics(summary),
        "denominators": {
            name.removeprefix(SCORE): _denominators(results[name], failed_samples(run))
            for name in map(str, results)
            if name.startswith(SCORE)
        },
        "usage": _usage(results, answered),
        "cost_usd": _sum(results["cost_usd"]),
        "latency": {
            name: _quantiles((results if name == "queue_s" else answered)[column])
            for name, column in LATENCIES.items()
        },
        "tokens_per_s": _first(summary, "tokens_per_s"),
        "errors": _tally(results["error_type"].dropna()),
        "flags": _tally(results["flags"].dropna().str.split(",").explode()),
    }


def list_object(run: RunRecord) -> dict[str, Any]:
    """One entry of what `runs` prints."""
    return {
        "run_id": run.id,
        "experiment_id": run.experiment_id,
        "name": run.name,
        "model": run.model,
        "params": dict(run.params),
        "status": run.status.value,
        "samples": run.planned,
        "completed": run.completed,
        "failed": failed_samples(run),
        "created_at": run.created_at.isoformat(),
    }


def compare_object(comparison: Comparison) -> dict[str, Any]:
    """What `compare` prints; differences are candidate minus baseline."""
    return {
        "baseline": comparison.baseline.id,
        "candidate": comparison.candidate.id,
        "baseline_model": comparison.baseline.model,
        "candidate_model": comparison.candidate.model,
        "pairs": comparison.pairs,
        "dropped": dict(comparison.dropped),
        "clustered_by": comparison.clustered_by,
        "cost_ratio": comparison.cost_ratio,
        "metrics": {one.name: _compared_object(one) for one in comparison.metrics},
        "flipped": len(comparison.flipped),
        "warnings": list(comparison.warnings),
    }


def failed_samples(run: RunRecord) -> int:
    """Samples that failed; what a dead lane left unsent counts as failed."""
    if run.status is RunStatus.FAILED:
        return run.planned - run.completed
    return run.failed


def _compared_object(compared: Compared) -> dict[str, Any]:
    paired = compared.paired
    tests = {
        "mcnemar": paired.tests.mcnemar,
        "wilcoxon": paired.tests.wilcoxon,
        "permutation": paired.tests.permutation,
    }
    return {
        "baseline": compared.baseline,
        "candidate": compared.candidate,
        "difference": paired.difference,
        "ci_low": paired.low,
        "ci_high": paired.high,
        "n": paired.n,
        "method": paired.method,
        "bca": {"ci_low": paired.bca.low, "ci_high": paired.bca.high},
        "wins": paired.wins,
        "losses": paired.losses,
        "ties": paired.ties,
        "cohens_dz": paired.cohens_dz,
        "odds_ratio": paired.odds_ratio,
        "if_failed_wrong": compared.if_failed_wrong,
        "binary": compared.is_binary,
        "tests": {
            name: {"p_value": value}
            for name, value in tests.items()
            if value is not None
        },
    }


def _metrics(summary: pd.DataFrame | None) -> dict[str, Any]:
    if summary is None:
        return {}
    return {
        row["metric"]: {
            "value": _known(row["value"]),
            "ci_low": _known(row["ci_low"]),
            "ci_high": _known(row["ci_high"]),
            "n": int(row["n"]),
            "method": row["method"],
        }
        for row in summary.to_dict("records")
        if not pd.isna(row["metric"])
    }


def _denominators(scores: "pd.Series[float]", failed: int) -> dict[str, Any]:
    """The mean if failed samples were wrong, and if they were right.

    Known for scores from 0 to 1: of a right or wrong answer, or of a share of it.
    """
    scores = scores.dropna()
    is_share = bool(scores.between(0, 1).all()) and len(scores) + failed > 0
    total = float(scores.sum())
    count = len(scores) + failed
    return {
        "binary": len(scores) > 0 and bool(scores.isin((0, 1)).all()),
        "if_failed_wrong": total / count if is_share else None,
        "if_failed_right": (total + failed) / count if is_share else None,
    }


def _usage(results: pd.DataFrame, answered: pd.DataFrame) -> dict[str, Any]:
    """Sums over what is known; `unknown` counts the answers without token counts."""
    sums = {name: _sum(results[name], whole=True) for name in TOKENS}
    missing = answered[["input_tokens", "output_tokens"]].isna().any(axis=1)
    return {**sums, "unknown": int(missing.sum())}


def _quantiles(seconds: "pd.Series[float]") -> dict[str, float | None]:
    known = seconds.dropna().to_numpy(dtype=float)
    return {f"p{q}": percentile(known, q) for q in QUANTILES}


def _tally(names: "pd.Series[str]") -> dict[str, int]:
    """How often each name occurs, the most frequent first."""
    return {str(name): int(n) for name, n in names.value_counts().items() if name}


def _sum(numbers: "pd.Series[Any]", *, whole: bool = False) -> Any:
    known = numbers.dropna()
    if known.empty:
        return None
    return int(known.sum()) if whole else math.fsum(known)


def _first(summary: pd.DataFrame | None, name: str) -> float | None:
    return None if summary is None or summary.empty else _known(summary[name].iloc[0])


def _known(number: Any) -> float | None:
    return None if pd.isna(number) else float(number)
