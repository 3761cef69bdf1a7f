"""Plots show every model with its interval and its times, in fitting units."""

import pandas as pd
import pytest

from aistrale_lab.analysis.plots import summary_plot
from aistrale_lab.errors import ConfigError


def summary(duration: float = 1.2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["openai/large", "openai/small"],
            "metric": ["number", "number"],
            "value": [0.9, 0.4],
            "ci_low": [0.8, 0.3],
            "ci_high": [0.95, 0.5],
            "ttft_p50_s": [duration / 3, duration / 4],
            "duration_p50_s": [duration, duration / 2],
        }
    )


def test_models_stand_on_the_axis_with_the_best_on_top() -> None:
    metric, times = summary_plot(summary()).axes

    names = [label.get_text() for label in metric.get_yticklabels()]
    assert names == ["openai/small", "openai/large"]
    assert metric.get_xlabel() == "number (mean, 95 % interval)"
    assert times.get_xlabel() == "median, seconds"


def test_short_times_are_shown_in_milliseconds() -> None:
    _, times = summary_plot(summary(duration=0.02)).axes

    assert times.get_xlabel() == "median, milliseconds"


def test_without_times_there_is_one_panel() -> None:
    untimed = summary().assign(ttft_p50_s=None, duration_p50_s=None)

    assert len(summary_plot(untimed).axes) == 1


def test_a_plot_shows_itself_as_a_picture() -> None:
    picture = summary_plot(summary())._repr_png_()  # type: ignore[attr-defined]

    assert picture.startswith(b"\x89PNG")


def test_an_unknown_metric_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="unknown metric 'exact'; known: number"):
        summary_plot(summary(), "exact")


def test_a_run_without_scorers_has_nothing_to_plot() -> None:
    with pytest.raises(ConfigError, match="no scorer"):
        summary_plot(summary().assign(metric=None))
