"""Runs on the Pareto front: which measures count, over which answers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from aistrale_lab.analysis.fronts import pareto_df
from aistrale_lab.errors import ValidationError
from servers.results import several

CHEAP = {"cost_usd": [1.0] * 4, "time_to_first_token_s": [0.5] * 4}
DEAR = {"cost_usd": [5.0] * 4, "time_to_first_token_s": [0.9] * 4}


def measured(**answers: dict[str, Any]) -> Any:
    """Runs and results, of four samples each."""
    return several(answers)


def test_a_run_that_is_worse_in_all_is_not_on_the_front() -> None:
    runs, frame = measured(
        good={"score_exact": [1, 1, 1, 1], **CHEAP},
        waste={"score_exact": [0, 0, 0, 0], **DEAR},
    )

    found = pareto_df(frame, runs)

    assert found["model"].tolist() == ["openai/good", "openai/waste"]
    assert found["on_front"].tolist() == [True, False]
    assert found["probability"].tolist() == [1.0, 0.0]
    assert found["quality"].tolist() == [1.0, 0.0]
    assert found["cost_usd"].tolist() == [1.0, 5.0]
    assert found["time_to_first_token_s"].tolist() == [0.5, 0.9]
    assert found["n"].tolist() == [4, 4]
    assert found["left_out"].isna().all()


def test_better_but_dearer_are_both_on_the_front() -> None:
    runs, frame = measured(
        good={"score_exact": [1, 1, 1, 1], **DEAR},
        cheap={"score_exact": [0, 0, 0, 0], **CHEAP},
    )

    found = pareto_df(frame, runs)

    assert found["on_front"].tolist() == [True, True]


def test_a_place_that_hangs_on_chance_has_a_probability_between() -> None:
    draws = np.random.default_rng(4)
    n = 100
    runs, frame = several(
        {
            name: {
                "score_exact": (draws.random(n) < 0.5).astype(float),
                "cost_usd": np.full(n, cost),
            }
            for name, cost in (("a", 1.0), ("b", 2.0))
        }
    )

    found = pareto_df(frame, runs, against=["cost_usd"])

    assert found["probability"][0] == 1.0
    assert 0.02 < found["probability"][1] < 0.98
    again = pareto_df(frame, runs, against=["cost_usd"])
    pd.testing.assert_frame_equal(found, again)


def test_a_measure_unknown_for_a_run_is_left_out_and_named() -> None:
    runs, frame = measured(
        a={"score_exact": [1, 0, 1, 1], **CHEAP},
        b={"score_exact": [1, 1, 1, 1], "cost_usd": [2.0] * 4},
    )

    found = pareto_df(frame, runs)

    assert found["left_out"].tolist() == ["time_to_first_token_s"] * 2
    assert found["time_to_first_token_s"].isna().all()
    assert found["cost_usd"].tolist() == [1.0, 2.0]
    assert found["on_front"].tolist() == [True, True]


def test_a_measure_that_few_answers_have_does_not_shrink_the_sample() -> None:
    some = {"cost_usd": [2.0] * 4, "time_to_first_token_s": [0.2, None, None, None]}
    most = {"cost_usd": [2.0] * 4, "time_to_first_token_s": [0.2, 0.2, 0.2, None]}
    score = {"score_exact": [1, 0, 1, 0]}

    few = pareto_df(*reversed(measured(a={**score, **CHEAP}, b={**score, **some})))
    many = pareto_df(*reversed(measured(a={**score, **CHEAP}, b={**score, **most})))

    assert (few["n"][0], few["left_out"][0]) == (4, "time_to_first_token_s")
    assert many["n"][0] == 3 and many["left_out"].isna().all()


def test_a_run_without_answers_has_a_row_of_nothing() -> None:
    dead = {"score_exact": [None] * 4, "error_type": ["QuotaError"] * 4}
    runs, frame = measured(
        a={"score_exact": [1, 0, 1, 1], **CHEAP},
        dead=dead,
        b={"score_exact": [1, 1, 1, 1], **DEAR},
    )

    found = pareto_df(frame, runs)

    assert found["n"].tolist() == [4, 0, 4]
    assert found["quality"].isna().tolist() == [False, True, False]
    assert found["on_front"].isna().tolist() == [False, True, False]


def test_quality_alone_makes_no_front() -> None:
    runs, frame = measured(a={"score_exact": [1] * 4}, b={"score_exact": [0] * 4})

    with pytest.raises(ValidationError, match="cost_usd and time_to_first_token_s"):
        pareto_df(frame, runs)
    with pytest.raises(ValidationError, match="not nothing"):
        pareto_df(frame, runs, against=[])


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"metric": "speed"}, "unknown metric 'speed'; there are exact"),
        ({"against": ["price"]}, "such as cost_usd .* not price"),
    ],
)
def test_what_is_not_there_is_refused(asked: dict[str, Any], reason: str) -> None:
    runs, frame = measured(
        a={"score_exact": [1] * 4, **CHEAP}, b={"score_exact": [0] * 4, **CHEAP}
    )

    with pytest.raises(ValidationError, match=reason):
        pareto_df(frame, runs, **asked)


def test_one_run_has_no_front() -> None:
    runs, frame = measured(a={"score_exact": [1] * 4, **CHEAP})

    with pytest.raises(ValidationError, match="two or more runs"):
        pareto_df(frame, runs)
