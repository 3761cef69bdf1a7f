"""Answers side by side: which rows meet, whose group they have."""

import numpy as np

from aistrale_lab.analysis.alignment import align
from servers.results import several


def test_answers_meet_by_sample_and_epoch_in_whatever_order() -> None:
    runs, frame = several(
        {
            "a": {"sample_id": ["x", "y", "x"], "epoch": [1, 1, 2]},
            "b": {"sample_id": ["y", "x", "x"], "epoch": [1, 2, 1]},
        }
    )

    aligned = align(frame, runs)

    assert aligned.places.tolist() == [[0, 5], [1, 3], [2, 4]]
    assert aligned.samples.tolist() == [0, 1, 0]
    assert aligned.clustered_by == "sample"
    assert aligned.clusters is not None
    assert aligned.clusters.tolist() == [0, 1, 0]


def test_the_columns_of_runs_stand_in_their_order_and_others_are_left_out() -> None:
    runs, frame = several(
        {name: {"cost_usd": [float(n)] * 2} for n, name in enumerate("abc")}
    )

    aligned = align(frame, [runs[2], runs[0]], ["cost_usd"])

    assert aligned.values(frame["cost_usd"]).tolist() == [[2, 0], [2, 0]]
    assert (aligned.clusters, aligned.clustered_by) == (None, None)


def test_a_group_is_taken_from_whichever_run_knows_it() -> None:
    runs, frame = several(
        {
            "a": {"group": [None, "g", None]},
            "b": {"group": ["g", "g", None]},
        }
    )

    aligned = align(frame, runs)

    assert aligned.groups.fillna("-").tolist() == ["g", "g", "-"]
    assert aligned.clustered_by == "group"


def test_the_reasons_for_dropping_are_counted_once_each() -> None:
    failed = "ServerError"
    runs, frame = several(
        {
            "a": {
                "sample_id": ["1", "2", "3", "4"],
                "error_type": [failed, failed, None, None],
                "score_exact": [None, None, np.nan, 1],
            },
            "b": {
                "sample_id": ["2", "3", "4"],
                "error_type": [failed, None, None],
                "score_exact": [None, 1, 1],
            },
        }
    )

    aligned = align(frame, runs, ["score_exact"])

    assert aligned.dropped == {"missing": 1, "failed": 1, "unknown": 1}
    assert aligned.places.tolist() == [[3, 6]]
