"""Frames of a real store: columns, types, order, and what is counted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aistrale_lab.analysis.columns import RESULT_COLUMNS, SUMMARY_COLUMNS
from aistrale_lab.analysis.frames import results_df, summary_df
from aistrale_lab.analysis.intervals import wilson
from aistrale_lab.domain.chat import Completion, FinishReason, Message, Usage
from aistrale_lab.domain.runs import RunSpec, SampleResult, SampleScore, Score, Timing
from aistrale_lab.domain.tasks import Dataset, ModelRef, Sample, Task
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.results import Store

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TURNS = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="2 + 3?"),
)
QUESTIONS = Dataset(
    name="sums",
    samples=(
        Sample(id="z", input="1 + 1?", target="2", group="easy"),
        Sample(id="a", input=TURNS, target="5"),
        Sample(id="m", input="9 * 9?"),
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def plan(
    store: Store,
    *models: str,
    dataset: Dataset = QUESTIONS,
    scorers: tuple[str, ...] = ("same=exact", "number"),
    params: tuple[dict[str, Any], ...] = ({},),
    experiment: str = "e1",
) -> None:
    """Store an experiment with a run for each model and set of parameters."""
    task = Task(dataset=dataset, scorers=scorers)
    runs = [
        RunSpec(
            run_id=f"{experiment}-{model}-{n}",
            experiment_id=experiment,
            model=ModelRef(provider="openai", model=model),
            config=task.config,
            params=point,
        )
        for model in models
        for n, point in enumerate(params)
    ]
    store.add_experiment(
        experiment_id=experiment,
        name="sums",
        identity=experiment,
        task=task,
        runs=runs,
        provenance={},
        tags={},
    )


def answer(sample_id: str, text: str = "2", **fields: Any) -> SampleResult:
    """An answer of the first run, with every field known."""
    usage = Usage(input_tokens=10, output_tokens=4, cached_input_tokens=0)
    timing = Timing(
        duration=2.0,
        time_to_first_token=0.5,
        inter_token_p50=0.01,
        inter_token_p95=0.02,
        queue=0.1,
        retry_wait=0.3,
    )
    completion = Completion(
        text=text,
        finish_reason=FinishReason.STOP,
        usage=usage,
        response_model="small-2026",
        request_id="req_1",
    )
    return SampleResult(
        **{
            "run_id": "e1-small-0",
            "sample_id": sample_id,
            "completion": completion,
            "timing": timing,
            "attempts": 2,
            "cost": Decimal("0.000120"),
            "flags": ("loop_lag", "model_differs"),
            "started_at": MOMENT,
            **fields,
        }
    )


def failure(sample_id: str, **fields: Any) -> SampleResult:
    """A failed sample of the first run: nothing is known but its error."""
    return SampleResult(
        **{
            "run_id": "e1-small-0",
            "sample_id": sample_id,
            "error_type": "RateLimitError",
            "error": "slow down",
            "started_at": MOMENT,
            **fields,
        }
    )


def score(sample_id: str, scorer: str, value: float | None) -> SampleScore:
    """A score, or the error of its scorer."""
    if value is None:
        return SampleScore(
            sample_id=sample_id, epoch=1, scorer=scorer, error_type="E", error="e"
        )
    return SampleScore(
        sample_id=sample_id, epoch=1, scorer=scorer, score=Score(value=value)
    )


async def save(store: Store, *results: SampleResult) -> None:
    """Store results."""
    for found in results:
        await store.recorder.save(found)


async def test_a_row_holds_everything_that_is_known_of_an_answer(store: Store) -> None:
    plan(store, "small")
    await save(store, answer("z"))

    row = results_df(store, ["e1-small-0"]).iloc[0].to_dict()

    assert {name: row[name] for name in RESULT_COLUMNS} == {
        "experiment_id": "e1",
        "run_id": "e1-small-0",
        "provider": "openai",
        "model": "openai/small",
        "response_model": "small-2026",
        "sample_id": "z",
        "group": "easy",
        "epoch": 1,
        "input": "1 + 1?",
        "target": "2",
        "output": "2",
        "finish_reason": "stop",
        "error_type": None,
        "error": None,
        "input_tokens": 10,
        "output_tokens": 4,
        "cached_input_tokens": 0,
        "reasoning_tokens": None,
        "duration_s": 2.0,
        "time_to_first_token_s": 0.5,
        "inter_token_p50_s": 0.01,
        "inter_token_p95_s": 0.02,
        "queue_s": 0.1,
        "retry_wait_s": 0.3,
        "attempts": 2,
        "cost_usd": 0.00012,
        "cached": False,
        "flags": "loop_lag,model_differs",
        "request_id": "req_1",
        "started_at": pd.Timestamp(MOMENT),
    }


async def test_a_failed_sample_has_a_row_with_its_error(store: Store) -> None:
    plan(store, "small")
    await save(store, answer("z"), failure("a"))

    frame = results_df(store, ["e1-small-0"])

    assert list(frame["error_type"].fillna("")) == ["", "RateLimitError"]
    assert frame["output"].isna().tolist() == [False, True]
    assert np.isnan(frame["duration_s"][1])


async def test_rows_stand_in_the_order_of_runs_samples_and_epochs(
    store: Store,
) -> None:
    plan(store, "small", "large")
    for run in ("e1-large-0", "e1-small-0"):
        await save(
            store,
            answer("m", run_id=run),
            answer("a", run_id=run, epoch=2),
            answer("a", run_id=run),
            answer("z", run_id=run),
        )

    frame = results_df(store, ["e1-small-0", "e1-large-0"])

    keys = list(zip(frame["model"], frame["sample_id"], frame["epoch"], strict=True))
    assert keys == [
        (model, sample, epoch)
        for model in ("openai/small", "openai/large")
        for sample, epoch in (("z", 1), ("a", 1), ("a", 2), ("m", 1))
    ]


async def test_the_input_of_a_conversation_is_its_last_user_turn(
    store: Store,
) -> None:
    plan(store, "small")
    await save(store, answer("a"), answer("m"))

    frame = results_df(store, ["e1-small-0"])

    assert list(frame["input"]) == ["2 + 3?", "9 * 9?"]
    assert frame["target"].isna().tolist() == [False, True]


async def test_each_scorer_has_a_column_after_the_others(store: Store) -> None:
    plan(store, "small")
    await save(store, answer("z"), answer("a"))
    await store.recorder.save_scores(
        "e1-small-0",
        [
            score("z", "same", 1.0),
            score("a", "same", None),
            score("a", "number", 0.0),
            score("z", "f1", 0.25),
        ],
    )

    frame = results_df(store, ["e1-small-0"])

    added = ["score_same", "score_number", "score_f1"]
    assert list(frame.columns) == [*RESULT_COLUMNS, *added]
    assert frame["score_same"].fillna(-1).tolist() == [1.0, -1]
    assert frame["score_number"].fillna(-1).tolist() == [-1, 0.0]
    assert frame["score_f1"].fillna(-1).tolist() == [0.25, -1]


async def test_each_swept_parameter_has_a_column_of_its_own_type(
    store: Store,
) -> None:
    points = (
        {"seed": 1, "temperature": 0, "reasoning_effort": "low", "logprobs": True},
        {"seed": 2, "temperature": 0.5, "reasoning_effort": "high", "logprobs": False},
    )
    plan(store, "small", scorers=(), params=points)
    await save(store, answer("z"), answer("z", run_id="e1-small-1"))

    frame = results_df(store, ["e1-small-0", "e1-small-1"])

    swept = frame[frame.columns[len(RESULT_COLUMNS) :]]
    assert {str(name): str(kind) for name, kind in swept.dtypes.items()} == {
        "param_seed": "Int64",
        "param_temperature": "float64",
        "param_reasoning_effort": "string",
        "param_logprobs": "boolean",
    }
    assert swept.iloc[1].tolist() == [2, 0.5, "high", False]


async def test_the_types_are_the_same_with_and_without_rows(store: Store) -> None:
    plan(store, "small")
    empty = results_df(store, ["e1-small-0"])
    summary = summary_df(empty, [])
    await save(store, answer("z"), failure("a"))

    full = results_df(store, ["e1-small-0"])

    expected = {**RESULT_COLUMNS, "score_same": "float64", "score_number": "float64"}
    for frame in (empty, full):
        assert {n: str(kind) for n, kind in frame.dtypes.items()} == expected
    assert {n: str(kind) for n, kind in summary.dtypes.items()} == SUMMARY_COLUMNS
    some = summary_df(full, store.runs_of("e1"))
    assert {n: str(kind) for n, kind in some.dtypes.items()} == SUMMARY_COLUMNS


def test_no_runs_give_an_empty_frame(store: Store) -> None:
    frame = results_df(store, [])

    assert list(frame.columns) == list(RESULT_COLUMNS)
    assert len(frame) == 0


def test_an_unknown_run_is_refused(store: Store) -> None:
    plan(store, "small")

    with pytest.raises(NotFoundError, match="no run nobody"):
        results_df(store, ["e1-small-0", "nobody"])


async def test_the_summary_has_a_row_per_run_and_metric(store: Store) -> None:
    plan(store, "small", "large")
    await save(store, answer("z"), answer("a", run_id="e1-large-0"))
    await store.recorder.save_scores("e1-small-0", [score("z", "same", 1.0)])

    frame = results_df(store, ["e1-small-0", "e1-large-0"])
    summary = summary_df(frame, store.runs_of("e1"))

    assert list(summary.columns) == list(SUMMARY_COLUMNS)
    assert list(zip(summary["model"], summary["metric"], strict=True)) == [
        ("openai/small", "same"),
        ("openai/small", "number"),
        ("openai/large", "same"),
        ("openai/large", "number"),
    ]
    assert summary["n"].tolist() == [1, 0, 0, 0]
    assert summary["value"].fillna(-1).tolist() == [1.0, -1, -1, -1]


async def test_failed_samples_are_counted_apart_from_the_scores(store: Store) -> None:
    plan(store, "small")
    await save(store, answer("z"), answer("a"), failure("m"))
    scores = [score("z", "same", 1.0), score("a", "same", 0.0)]
    await store.recorder.save_scores("e1-small-0", scores)

    summary = summary_df(results_df(store, ["e1-small-0"]), store.runs_of("e1"))

    same = summary.set_index("metric").loc["same"]
    assert (same["value"], same["n"], same["total"], same["failed"]) == (0.5, 2, 3, 1)
    expected = wilson(1, 2)
    assert (same["ci_low"], same["ci_high"]) == (expected.low, expected.high)
    assert same["method"] == "wilson"


async def test_a_run_without_scorers_has_one_row_without_a_metric(
    store: Store,
) -> None:
    plan(store, "small", scorers=())
    await save(store, answer("z"))

    summary = summary_df(results_df(store, ["e1-small-0"]), store.runs_of("e1"))

    assert len(summary) == 1
    missing = summary[["metric", "value", "ci_low", "ci_high", "n", "method"]]
    assert missing.isna().all(axis=None)
    assert summary["duration_p50_s"].tolist() == [2.0]


async def test_a_later_score_of_one_experiment_is_no_metric_of_another(
    store: Store,
) -> None:
    plan(store, "small", scorers=())
    plan(store, "small", scorers=(), experiment="e2")
    await save(store, answer("z"), answer("z", run_id="e2-small-0"))
    await store.recorder.save_scores("e1-small-0", [score("z", "same", 1.0)])

    runs = [*store.runs_of("e1"), *store.runs_of("e2")]
    summary = summary_df(results_df(store, [run.id for run in runs]), runs)

    assert summary["metric"].fillna("none").tolist() == ["same", "none"]


async def test_unknown_tokens_and_costs_are_left_out_of_the_sums(
    store: Store,
) -> None:
    plan(store, "small", "large", scorers=())
    silent = Completion(text="2", finish_reason=FinishReason.STOP)
    unknown = {"completion": silent, "cost": None}
    await save(
        store,
        answer("z"),
        answer("a", **unknown),
        answer("z", run_id="e1-large-0", **unknown),
    )

    frame = results_df(store, ["e1-small-0", "e1-large-0"])
    summary = summary_df(frame, store.runs_of("e1"))

    assert summary["output_tokens"].fillna(-1).tolist() == [4, -1]
    assert summary["cost_usd"].fillna(-1).tolist() == [0.00012, -1]
    assert summary["tokens_per_s"].fillna(-1).tolist() == [2.0, -1]


async def test_percentiles_are_those_of_the_answers_with_known_times(
    store: Store,
) -> None:
    plan(store, "small", scorers=())
    await save(
        store,
        answer("z", timing=Timing(duration=1.0, time_to_first_token=0.1, queue=0.0)),
        answer("a", timing=Timing(duration=3.0)),
        failure("m", timing=Timing(duration=600.0, queue=1.0)),
    )

    frame = summary_df(results_df(store, ["e1-small-0"]), store.runs_of("e1"))

    row = frame.iloc[0]
    assert row["duration_p50_s"] == 2.0
    assert row["duration_p99_s"] == pytest.approx(2.98)
    assert row["ttft_p95_s"] == 0.1
    assert row["queue_p50_s"] == 0.5
    assert row["tokens_per_s"] == 2.0


def test_a_run_without_results_has_a_row(store: Store) -> None:
    plan(store, "small")

    summary = summary_df(results_df(store, ["e1-small-0"]), store.runs_of("e1"))

    assert summary["metric"].tolist() == ["same", "number"]
    assert summary["total"].tolist() == [3, 3]
    assert summary["failed"].tolist() == [0, 0]
    assert summary[["value", "input_tokens", "ttft_p50_s"]].isna().all(axis=None)
