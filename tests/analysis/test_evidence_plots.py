"""Plots of comparisons, leaderboards, fronts and times."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from aistrale_lab.analysis.compare import compare
from aistrale_lab.analysis.evidence_plots import (
    compare_plot,
    front_plot,
    latency_plot,
    leaderboard_plot,
)
from aistrale_lab.analysis.fronts import pareto_df
from aistrale_lab.analysis.leaderboard import leaderboard
from aistrale_lab.errors import ConfigError
from servers.results import results, run_record, side

N = 40


def columns(right: int, cost: float) -> dict[str, Any]:
    spread = np.linspace(0.9, 1.1, N)
    return {
        "score_exact": [1.0] * right + [0.0] * (N - right),
        "duration_s": 0.4 * spread,
        "time_to_first_token_s": 0.1 * spread[::-1],
        "cost_usd": cost * spread,
        "model": [f"openai/m{right}"] * N,
        "run_id": [f"run-m{right}"] * N,
        "experiment_id": ["e1"] * N,
    }


def several() -> tuple[Any, list[Any]]:
    import pandas as pd

    frames = [results(N, **columns(right, cost)) for right, cost in ((36, 2), (8, 1))]
    runs = [run_record(f"m{right}", N) for right in (36, 8)]
    return pd.concat(frames, ignore_index=True), runs


def names(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_differences_stand_around_zero_scores_beside_changes() -> None:
    before = side("before", columns(8, 1.0))
    after = side("after", columns(36, 0.5))

    scores, changes = compare_plot(compare(before, after)).axes

    assert (names(scores), scores.get_xlabel()) == (["exact"], "difference, points")
    assert names(changes) == ["cost", "time to first token", "latency"]
    assert changes.get_xlabel() == "difference, percent of the baseline"
    assert scores.figure.get_suptitle() == "openai/after against openai/before"


def test_nothing_known_is_nothing_to_plot() -> None:
    with pytest.raises(ConfigError, match="no difference"):
        compare_plot(compare(side("a", {"epoch": [1]}), side("b", {"epoch": [1]})))


def test_the_best_run_stands_on_top() -> None:
    (axes,) = leaderboard_plot(leaderboard(*several())).axes

    assert names(axes) == ["openai/m8", "openai/m36"]
    assert axes.get_xlabel() == "exact (mean, 95 % interval)"


def test_runs_on_the_front_are_named_with_their_probability() -> None:
    (axes,) = front_plot(pareto_df(*several())).axes

    told = [text.get_text() for text in axes.texts]
    assert told == ["openai/m36 (100%)", "openai/m8 (100%)"]
    assert axes.get_xlabel() == "mean cost, USD"


def test_a_front_of_unknown_costs_is_refused() -> None:
    front = pareto_df(*several()).drop(columns="cost_usd")

    with pytest.raises(ConfigError, match="cost_usd is not known"):
        front_plot(front)


def test_times_are_shown_as_shares_of_answers() -> None:
    frame, _ = several()

    first, whole = latency_plot(frame).axes

    assert first.get_xlabel() == "time to first token, milliseconds"
    assert whole.get_xlabel() == "duration, milliseconds"
    legend = whole.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "openai/m36",
        "openai/m8",
    ]


def test_without_times_there_is_nothing_to_plot() -> None:
    with pytest.raises(ConfigError, match="no times"):
        latency_plot(results(2))


def test_names_of_near_points_stand_below_each_other() -> None:
    frame = pd.DataFrame(
        {
            "model": ["a", "b", "far"],
            "quality": [0.5, 0.5, 0.9],
            "cost_usd": [1.0, 1.1, 9.0],
            "probability": [1.0, 0.0, 1.0],
            "on_front": [True, False, True],
        }
    )

    (axes,) = front_plot(frame).axes

    assert [text.xyann[1] for text in axes.texts] == [4, -7, 4]


def test_runs_of_one_model_are_told_apart_in_the_title() -> None:
    cold, warm = (
        side("m", {"score_exact": [0.0, 1.0, 1.0, 0.0]}, params={"temperature": t})
        for t in (0.0, 1.0)
    )

    figure = compare_plot(compare(cold, warm))

    assert figure.get_suptitle() == "openai/m (temperature=1.0) against " + (
        "openai/m (temperature=0.0)"
    )
