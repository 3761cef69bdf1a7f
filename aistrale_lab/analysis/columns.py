"""The columns of our frames, in order, with their types; empty frames have them too.

Text is pandas' `string` with NA where something is unknown, counts are `Int64`,
seconds, scores and USD are `float64` with NaN, times are UTC.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

TEXT = "string"
COUNT = "Int64"
FLOAT = "float64"
TIME = "datetime64[us, UTC]"
FLAG = "boolean"

RESULT_COLUMNS: Mapping[str, str] = {
    "experiment_id": TEXT,
    "run_id": TEXT,
    "provider": TEXT,
    "model": TEXT,
    "response_model": TEXT,
    "sample_id": TEXT,
    "group": TEXT,
    "epoch": COUNT,
    "input": TEXT,
    "target": TEXT,
    "output": TEXT,
    "finish_reason": TEXT,
    "error_type": TEXT,
    "error": TEXT,
    "input_tokens": COUNT,
    "output_tokens": COUNT,
    "cached_input_tokens": COUNT,
    "reasoning_tokens": COUNT,
    "duration_s": FLOAT,
    "time_to_first_token_s": FLOAT,
    "inter_token_p50_s": FLOAT,
    "inter_token_p95_s": FLOAT,
    "queue_s": FLOAT,
    "retry_wait_s": FLOAT,
    "attempts": COUNT,
    "cost_usd": FLOAT,
    "cached": FLAG,
    "flags": TEXT,
    "request_id": TEXT,
    "started_at": TIME,
}
"""Then follow one `score_<scorer>` per scorer and one `param_<name>` per parameter."""

SUMMARY_COLUMNS: Mapping[str, str] = {
    "run_id": TEXT,
    "model": TEXT,
    "metric": TEXT,
    "value": FLOAT,
    "ci_low": FLOAT,
    "ci_high": FLOAT,
    "n": COUNT,
    "total": COUNT,
    "method": TEXT,
    "failed": COUNT,
    "input_tokens": COUNT,
    "output_tokens": COUNT,
    "cost_usd": FLOAT,
    "duration_p50_s": FLOAT,
    "duration_p95_s": FLOAT,
    "duration_p99_s": FLOAT,
    "ttft_p50_s": FLOAT,
    "ttft_p95_s": FLOAT,
    "tokens_per_s": FLOAT,
    "queue_p50_s": FLOAT,
}

SCORE = "score_"
PARAM = "param_"


def column(values: Sequence[Any], dtype: str) -> "pd.Series[Any]":
    """A column of that type; None becomes what pandas calls missing in it."""
    if dtype == TIME:
        return pd.Series(pd.to_datetime(list(values), utc=True), dtype=TIME)
    return pd.Series(list(values), dtype=dtype)


def param_column(values: Sequence[Any]) -> "pd.Series[Any]":
    """A swept parameter's column, with the narrowest type that holds its values.

    Values that are neither text, numbers nor booleans alone stand as text.
    """
    kinds = {type(value) for value in values if value is not None}
    for allowed, dtype in (
        ({bool}, FLAG),
        ({int}, COUNT),
        ({int, float}, FLOAT),
    ):
        if kinds and kinds <= allowed:
            return column(values, dtype)
    return column([None if v is None else str(v) for v in values], TEXT)
