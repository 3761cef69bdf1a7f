"""The JSON objects of the contract."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from aistrale_lab.analysis.columns import RESULT_COLUMNS, column
from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.summary import (
    experiment_object,
    failed_samples,
    list_object,
    run_objects,
)
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.store.records import RunRecord

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(**fields: Any) -> RunRecord:
    known: dict[str, Any] = {
        "id": "01",
        "experiment_id": "02",
        "name": "arithmetic",
        "position": 0,
        "provider": "huggingface",
        "model_name": "Qwen/Qwen3-8B",
        "base_url": None,
        "params": {},
        "config": {},
        "stream": True,
        "status": RunStatus.COMPLETED,
        "reason": None,
        "planned": 3,
        "completed": 2,
        "failed": 1,
        "created_at": WHEN,
        "started_at": WHEN,
        "finished_at": WHEN,
    }
    return RunRecord(**(known | fields))


def results(rows: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [{"sample_id": str(place), **row} for place, row in enumerate(rows)]
    frame = {
        name: column([row.get(name) for row in rows], kind)
        for name, kind in RESULT_COLUMNS.items()
    }
    scores = [row.get("score_number") for row in rows]
    return pd.DataFrame({**frame, "score_number": column(scores, "float64")})


def answer(**fields: Any) -> dict[str, Any]:
    known = {
        "experiment_id": "02",
        "run_id": "01",
        "output": "4",
        "input_tokens": 10,
        "output_tokens": 2,
        "duration_s": 0.5,
        "time_to_first_token_s": 0.1,
        "queue_s": 0.01,
        "cost_usd": 0.1,
        "score_number": 1.0,
    }
    return known | fields


FAILURE = {
    "experiment_id": "02",
    "run_id": "01",
    "error_type": "RateLimitError",
    "error": "too many",
    "queue_s": 0.03,
}


@pytest.fixture
def objects() -> Callable[..., list[dict[str, Any]]]:
    def make(runs: list[RunRecord], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        frame = results(rows)
        return run_objects(runs, frame, summary_df(frame, runs))

    return make


def test_a_run_says_everything_of_the_contract(objects: Any) -> None:
    rows = [answer(), answer(duration_s=1.5, score_number=0.0, cost_usd=0.2), FAILURE]

    run = objects([record()], rows)[0]

    metric = run.pop("metrics")["number"]
    assert run.pop("denominators")["number"]["binary"] is True
    latency = run.pop("latency")
    assert run == {
        "run_id": "01",
        "model": "huggingface/Qwen/Qwen3-8B",
        "params": {},
        "status": "completed",
        "reason": None,
        "samples": 3,
        "completed": 2,
        "failed": 1,
        "usage": {
            "input_tokens": 20,
            "output_tokens": 4,
            "cached_input_tokens": None,
            "reasoning_tokens": None,
            "unknown": 0,
        },
        "cost_usd": 0.30000000000000004,
        "tokens_per_s": 2.0,
        "errors": {"RateLimitError": 1},
        "flags": {},
    }
    assert (metric["value"], metric["n"], metric["method"]) == (0.5, 2, "wilson")
    assert metric["ci_low"] < 0.5 < metric["ci_high"]
    assert latency["duration_s"]["p50"] == 1.0
    assert latency["time_to_first_token_s"]["p99"] == 0.1
    assert latency["queue_s"]["p50"] == 0.01


def test_a_mean_is_told_with_failed_samples_as_wrong_and_as_right(
    objects: Any,
) -> None:
    rows = [answer(score_number=1.0)] * 80 + [answer(score_number=0.0)] * 10
    failed = {"planned": 100, "completed": 90, "failed": 10}

    run = objects([record(**failed)], rows + [FAILURE] * 10)[0]

    means = run["metrics"]["number"] | run["denominators"]["number"]
    shown = [means[name] for name in ("if_failed_wrong", "value", "if_failed_right")]
    assert [round(100 * share, 1) for share in shown] == [80.0, 88.9, 90.0]


def test_scores_that_are_no_shares_have_no_such_bounds(objects: Any) -> None:
    run = objects([record()], [answer(score_number=17.0), FAILURE])[0]

    means = run["denominators"]["number"]
    assert (means["if_failed_wrong"], means["binary"]) == (None, False)


def test_what_is_unknown_is_null_and_counted(objects: Any) -> None:
    unknown = dict.fromkeys(
        ["input_tokens", "output_tokens", "cost_usd", "time_to_first_token_s"]
    )

    run = objects([record()], [answer(**unknown), answer(**unknown), FAILURE])[0]

    assert run["usage"]["input_tokens"] is None
    assert run["usage"]["unknown"] == 2
    assert run["cost_usd"] is None
    assert run["latency"]["time_to_first_token_s"] == {
        "p50": None,
        "p95": None,
        "p99": None,
    }


def test_a_run_without_rows_is_all_null(objects: Any) -> None:
    run = record(status=RunStatus.PENDING, completed=0, failed=0)

    found = objects([run], [])[0]

    assert found["metrics"]["number"]["value"] is None
    assert found["metrics"]["number"]["n"] == 0
    assert found["latency"]["duration_s"]["p50"] is None
    assert found["errors"] == {}


def test_flags_are_counted_one_by_one(objects: Any) -> None:
    rows = [answer(flags="loop_lag,model_differs"), answer(flags="loop_lag"), FAILURE]

    found = objects([record()], rows)[0]

    assert found["flags"] == {"loop_lag": 2, "model_differs": 1}


def test_runs_stand_in_the_order_given(objects: Any) -> None:
    runs = [record(id="09"), record(id="01")]

    found = objects(runs, [answer(), answer(run_id="09")])

    assert [run["run_id"] for run in found] == ["09", "01"]


def test_what_a_dead_lane_left_unsent_counts_as_failed() -> None:
    dead = record(status=RunStatus.FAILED, planned=100, completed=3, failed=1)

    assert failed_samples(dead) == 97


def test_what_an_interrupted_run_left_unsent_does_not() -> None:
    stopped = record(status=RunStatus.INTERRUPTED, planned=100, completed=3, failed=1)

    assert failed_samples(stopped) == 1


def test_the_object_is_json_as_it_stands(objects: Any) -> None:
    runs = objects([record()], [answer(), answer(), FAILURE])

    text = json.dumps(experiment_object("02", "sqlite:///x.db", runs), allow_nan=False)

    assert json.loads(text)["experiment_id"] == "02"


def test_the_list_has_the_fields_of_the_contract() -> None:
    assert list_object(record()) == {
        "run_id": "01",
        "experiment_id": "02",
        "name": "arithmetic",
        "model": "huggingface/Qwen/Qwen3-8B",
        "params": {},
        "status": "completed",
        "samples": 3,
        "completed": 2,
        "failed": 1,
        "created_at": "2026-01-02T03:04:05+00:00",
    }
