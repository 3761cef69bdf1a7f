"""Times by run: which answers count, which percentiles, which intervals."""

import time

import numpy as np
import pandas as pd
import pytest

from aistrale_lab.analysis.bootstrap import Percentile, bca
from aistrale_lab.analysis.latency import latency_df
from servers.results import several


def figures(frame: pd.DataFrame, measure: str, run: str = "run-a") -> pd.DataFrame:
    """The rows of one measure of one run, by percentile."""
    chosen = (frame["measure"] == measure) & (frame["run_id"] == run)
    return frame[chosen].set_index("percentile")


def test_percentiles_have_their_bootstrap_intervals() -> None:
    seconds = np.random.default_rng(0).lognormal(size=200)
    runs, frame = several({"a": {"duration_s": seconds}})

    found = figures(latency_df(frame, runs, draws=500, seed=3), "duration_s")

    assert list(found.index) == [50, 95, 99]
    for q, row in found.iterrows():
        expected = bca(seconds, Percentile(q), draws=500, seed=3)
        assert row["value"] == pytest.approx(np.percentile(seconds, q))
        assert (row["ci_low"], row["ci_high"]) == (expected.low, expected.high)
        assert (row["n"], row["method"]) == (200, "bca")


def test_each_run_has_a_row_for_each_measure_and_percentile() -> None:
    runs, frame = several({"a": {"duration_s": [1.0]}, "b": {"duration_s": [2.0]}})

    found = latency_df(frame, runs)

    assert len(found) == 20
    assert found["model"].unique().tolist() == ["openai/a", "openai/b"]
    assert figures(found, "duration_s", "run-b")["value"].tolist() == [2.0] * 3
    unknown = figures(found, "time_to_first_token_s")
    assert unknown["value"].isna().all() and (unknown["n"] == 0).all()


def test_cached_answers_have_no_times() -> None:
    runs, frame = several(
        {
            "a": {
                "duration_s": [1.0, None, 3.0, None],
                "queue_s": [0.5, 0.0, 0.5, None],
                "cached": [False, True, None, True],
            }
        }
    )

    found = latency_df(frame, runs)

    assert figures(found, "duration_s").loc[50, ["value", "n"]].tolist() == [2.0, 2]
    assert figures(found, "queue_s").loc[50, ["value", "n"]].tolist() == [0.5, 2]
    assert (found["cached"] == 2).all()


def test_failed_calls_count_for_the_waits_alone() -> None:
    runs, frame = several(
        {
            "a": {
                "duration_s": [1.0, 60.0],
                "queue_s": [1.0, 3.0],
                "retry_wait_s": [0.0, 8.0],
                "error_type": [None, "DeadlineError"],
            }
        }
    )

    found = latency_df(frame, runs)

    assert figures(found, "duration_s").loc[99, "value"] == 1.0
    assert figures(found, "queue_s").loc[50, "value"] == 2.0
    assert figures(found, "retry_wait_s").loc[50, "value"] == 4.0


def test_answers_timed_while_the_loop_lagged_are_counted() -> None:
    runs, frame = several(
        {
            "a": {
                "duration_s": [1.0, 2.0, 3.0, 4.0],
                "time_to_first_token_s": [0.1, None, 0.1, 0.1],
                "flags": ["loop_lag", "usage_missing,loop_lag", "loop_lagging", None],
            }
        }
    )

    found = latency_df(frame, runs)

    assert figures(found, "duration_s").loc[50, "lagged"] == 2
    assert figures(found, "time_to_first_token_s").loc[50, "lagged"] == 1


def test_the_speed_is_that_of_the_median_answer() -> None:
    runs, frame = several(
        {
            "a": {
                "duration_s": [1.0, 2.0, 4.0, 0.0, None],
                "output_tokens": [10, 100, 4, 5, 5],
            }
        }
    )

    speed = figures(latency_df(frame, runs), "tokens_per_s").loc[50]

    assert (speed["value"], speed["n"]) == (10.0, 3)


def test_times_that_are_all_alike_have_no_interval() -> None:
    runs, frame = several({"a": {"retry_wait_s": [0.0] * 50}})

    waited = figures(latency_df(frame, runs), "retry_wait_s").loc[50]

    assert waited["value"] == 0
    assert pd.isna(waited["ci_low"]) and pd.isna(waited["ci_high"])


def test_a_run_without_results_has_rows_of_nothing() -> None:
    runs, frame = several({"a": {"duration_s": [1.0]}, "b": {"duration_s": [1.0]}})

    found = latency_df(frame[frame["run_id"] == "run-a"], runs)

    nothing = found[found["run_id"] == "run-b"]
    assert len(nothing) == 10
    assert nothing["value"].isna().all()


def test_a_million_results_take_seconds() -> None:
    draws = np.random.default_rng(0)
    names = ("duration_s", "time_to_first_token_s", "queue_s", "inter_token_p50_s")
    runs, frame = several(
        {
            f"m{n}": {name: draws.lognormal(size=250_000) for name in names}
            for n in range(4)
        }
    )
    before = time.process_time()

    found = latency_df(frame, runs)

    assert (found["n"] == 250_000).sum() == 32
    assert time.process_time() - before < 10
