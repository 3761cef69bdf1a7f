"""Runs with epochs: what differs between them, and how often k of k pass."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aistrale_lab.analysis.intervals import clustered_t, t_interval, wilson
from aistrale_lab.analysis.repeated import repeats_df
from aistrale_lab.analysis.repeats import variance_parts
from aistrale_lab.errors import ValidationError
from servers.results import several

EPOCHS = {"sample_id": ["1", "1", "1", "2", "2", "2"], "epoch": [1, 2, 3] * 2}


def only(frame: pd.DataFrame) -> "pd.Series[Any]":
    """The one row of a frame."""
    assert len(frame) == 1
    return frame.iloc[0]


def test_answers_that_differ_are_counted_by_sample() -> None:
    runs, frame = several({"a": {**EPOCHS, "output": ["x", "x", "y", "z", "z", "z"]}})

    row = only(repeats_df(frame, runs))

    assert (row["samples"], row["n"], row["epochs"]) == (2, 6, 3)
    assert row["distinct"] == 1.5
    assert row["flip_rate"] == pytest.approx((2 / 3 + 0) / 2)
    entropy = -(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3)) / 2
    assert row["entropy_bits"] == pytest.approx(entropy)
    assert pd.isna(row["metric"]) and pd.isna(row["pass_at_k"])


def test_k_of_k_pass_as_often_as_in_all_choices_of_k_epochs() -> None:
    draws = np.random.default_rng(0)
    scores = (draws.random((30, 5)) < 0.6).astype(float)
    columns = {
        "sample_id": np.repeat([str(n) for n in range(30)], 5),
        "epoch": [1, 2, 3, 4, 5] * 30,
        "score_exact": scores.ravel(),
    }
    runs, frame = several({"a": columns})

    row = only(repeats_df(frame, runs, k=2))

    chosen = [list(pair) for pair in combinations(range(5), 2)]
    any_right = [np.mean([s[pair].max() for pair in chosen]) for s in scores]
    all_right = [np.mean([s[pair].min() for pair in chosen]) for s in scores]
    for name, values in (("pass_at_k", any_right), ("pass_hat_k", all_right)):
        expected = t_interval(values)
        found = row[[name, f"{name}_low", f"{name}_high"]].astype(float)
        wanted = (expected.value, expected.low, expected.high)
        assert tuple(found) == pytest.approx(wanted, abs=1e-12)
        assert row[f"{name}_method"] == "t"
    assert (row["metric"], row["k"], row["pass_n"]) == ("exact", 2, 30)
    parts = variance_parts(columns["score_exact"], columns["sample_id"])
    assert row["between_variance"] == pytest.approx(parts.between)
    assert row["within_variance"] == pytest.approx(parts.within)


def test_k_is_the_number_of_epochs_unless_given() -> None:
    runs, frame = several({"a": {**EPOCHS, "score_exact": [1, 1, 1, 0, 1, 0]}})

    row = only(repeats_df(frame, runs))

    assert (row["k"], row["pass_at_k"], row["pass_hat_k"]) == (3, 1.0, 0.5)
    expected = wilson(1, 2)
    interval = (row["pass_hat_k_low"], row["pass_hat_k_high"])
    assert interval == (expected.low, expected.high)


def test_samples_of_a_group_are_clustered() -> None:
    groups = np.repeat(["g", "g", "h", "i"], 2)
    columns = {
        "sample_id": np.repeat(["1", "2", "3", "4"], 2),
        "epoch": [1, 2] * 4,
        "group": groups,
        "score_exact": [1, 1, 1, 1, 0, 1, 0, 0],
    }
    runs, frame = several({"a": columns})

    row = only(repeats_df(frame, runs))

    expected = clustered_t([1, 1, 0, 0], ["g", "g", "h", "i"])
    assert row["pass_hat_k_method"] == "clustered_t"
    assert row["pass_hat_k_low"] == pytest.approx(max(0, expected.low))


def test_calls_that_failed_count_nowhere() -> None:
    columns = {
        **EPOCHS,
        "output": ["x", "x", None, "y", None, None],
        "score_exact": [1, 1, None, 1, None, None],
        "error_type": [None, None, "ServerError", None, "ServerError", "ServerError"],
    }
    runs, frame = several({"a": columns})

    row = only(repeats_df(frame, runs, k=2))

    assert (row["samples"], row["n"], row["flip_rate"]) == (1, 2, 0.0)
    assert (row["pass_n"], row["pass_left_out"], row["pass_hat_k"]) == (1, 1, 1.0)


def test_graded_scores_have_variances_but_nobody_passes() -> None:
    runs, frame = several(
        {"a": {**EPOCHS, "score_rouge": [0.1, 0.2, 0.3, 0.7, 0.8, 1]}}
    )

    row = only(repeats_df(frame, runs))

    assert pd.isna(row["pass_at_k"]) and pd.isna(row["k"])
    assert row["within_variance"] > 0


def test_another_column_can_hold_the_answers() -> None:
    runs, frame = several({"a": {**EPOCHS, "output": list("uvwxyz")}})
    frame["answer"] = ["1", "1", "1", "2", "2", "2"]

    row = only(repeats_df(frame, runs, answers="answer"))

    assert row["distinct"] == 1.0


def test_each_run_has_its_row_also_without_answers() -> None:
    failed = {**EPOCHS, "error_type": ["ServerError"] * 6, "score_exact": [None] * 6}
    runs, frame = several(
        {"a": {**EPOCHS, "score_exact": [1, 0, 1, 1, 1, 1]}, "failed": failed}
    )

    found = repeats_df(frame, runs)

    assert found["model"].tolist() == ["openai/a", "openai/failed"]
    assert found["samples"].tolist() == [0, 0]
    assert found["pass_n"].tolist() == [2, 0]
    assert pd.isna(found["pass_at_k"][1])


def test_runs_with_one_epoch_are_refused() -> None:
    runs, frame = several({"a": {"score_exact": [1, 0]}})

    with pytest.raises(ValidationError, match="one epoch"):
        repeats_df(frame, runs)


@pytest.mark.parametrize("k", [0, 4])
def test_k_beyond_the_epochs_is_refused(k: int) -> None:
    runs, frame = several({"a": {**EPOCHS, "score_exact": [1] * 6}})

    with pytest.raises(ValidationError, match=f"k = {k} is not within 1 and the 3"):
        repeats_df(frame, runs, k=k)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    runs, frame = several({"a": {**EPOCHS, "score_exact": [1] * 6}})

    with pytest.raises(ValidationError, match="'number'; there are exact"):
        repeats_df(frame, runs, "number")
