"""How long answers took, run by run, each percentile with its interval."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aistrale_lab.analysis.arrays import LEVEL
from aistrale_lab.analysis.bootstrap import Percentile, bca
from aistrale_lab.analysis.columns import COUNT, FLOAT, TEXT
from aistrale_lab.analysis.compare import DRAWS
from aistrale_lab.analysis.run_tables import model_names, rows_of, typed_frame
from aistrale_lab.store.records import RunRecord

PERCENTILES: Mapping[str, tuple[int, ...]] = {
    "duration_s": (50, 95, 99),
    "time_to_first_token_s": (50, 95, 99),
    "inter_token_p50_s": (50,),
    "tokens_per_s": (50,),
    "queue_s": (50,),
    "retry_wait_s": (50,),
}
"""What is measured, and which of its percentiles are told."""

WAITS = ("queue_s", "retry_wait_s")
"""What calls that failed have too: they waited like the others."""

LAGGED = "loop_lag"
"""The flag of an answer that was timed while our own loop was late."""

USED = (
    "run_id",
    "error_type",
    "cached",
    "flags",
    "output_tokens",
    *(name for name in PERCENTILES if name != "tokens_per_s"),
)
"""The columns of results that are read here."""

COLUMNS: Mapping[str, str] = {
    "run_id": TEXT,
    "model": TEXT,
    "measure": TEXT,
    "percentile": COUNT,
    "value": FLOAT,
    "ci_low": FLOAT,
    "ci_high": FLOAT,
    "method": TEXT,
    "n": COUNT,
    "lagged": COUNT,
    "cached": COUNT,
}


def latency_df(
    results: pd.DataFrame,
    runs: Sequence[RunRecord],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """One row per run, measure and percentile, with the BCa bootstrap interval.

    Times are in seconds, over the `n` answers that have them; `lagged` of these are
    flagged `loop_lag`. The run's `cached` answers have no times and are left out, and
    so are calls that failed, but for what they waited (`WAITS`). `tokens_per_s` is that
    of the median answer, output tokens over duration; that of `summary_df` is of all
    answers together. Answers are taken as independent. A value is missing where
    nothing is known, an interval where the draws do not vary.
    """
    rows = [
        {"run_id": run.id, "model": name, **row}
        for run, name, own in zip(
            runs, model_names(runs), rows_of(results, runs), strict=True
        )
        for row in _run_rows(own, level=level, draws=draws, seed=seed)
    ]
    return typed_frame(rows, COLUMNS)


def _run_rows(results: pd.DataFrame, **how: Any) -> Iterator[dict[str, Any]]:
    cached = results["cached"].fillna(False).to_numpy(bool)
    timed = results[~cached]
    answered = timed["error_type"].isna()
    lagged = _lagged(timed["flags"])
    for measure, percentiles in PERCENTILES.items():
        values = _values(timed, measure)
        known = values.notna()
        if measure not in WAITS:
            known &= answered
        counts = {"lagged": int(lagged[known].sum()), "cached": int(cached.sum())}
        for row in _percentile_rows(values[known], percentiles, **how):
            yield {"measure": measure, **row, **counts}


def _values(results: pd.DataFrame, measure: str) -> "pd.Series[float]":
    if measure != "tokens_per_s":
        return results[measure]
    seconds = results["duration_s"]
    # An answer in no time at all has no speed.
    return results["output_tokens"].astype("float64") / seconds.where(seconds > 0)


def _lagged(flags: "pd.Series[str]") -> "pd.Series[bool]":
    return ("," + flags.fillna("") + ",").str.contains(f",{LAGGED},", regex=False)


def _percentile_rows(
    values: "pd.Series[float]", percentiles: Iterable[int], **how: Any
) -> Iterator[dict[str, Any]]:
    numbers = np.sort(values.to_numpy(np.float64))
    for q in percentiles:
        found = bca(numbers, Percentile(q), **how)
        yield {
            "percentile": q,
            "value": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "method": found.method,
            "n": found.n,
        }
