"""Plots of comparisons, leaderboards, fronts and times, with their intervals."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aistrale_lab.analysis.plots import (
    BLUE,
    GREY,
    ORANGE,
    WIDE,
    label,
    make_figure,
    set_log,
    tidy,
)
from aistrale_lab.analysis.run_tables import model_names
from aistrale_lab.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aistrale_lab.analysis.compare import Compared, Comparison
    from aistrale_lab.analysis.leaderboard import Leaderboard

PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito (2008)."""

STEPS = 500
"""Steps of a line of shares: more would be narrower than the line is wide."""

TAIL = 50
"""Of these, the slowest answers that are all drawn."""

MEASURES = {
    "duration_s": "latency",
    "time_to_first_token_s": "time to first token",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost_usd": "cost",
}

UNITS = {
    "cost_usd": "cost, USD",
    "time_to_first_token_s": "time to first token, seconds",
    "duration_s": "duration, seconds",
}


def compare_plot(comparison: "Comparison") -> "Figure":
    """Differences of scores, and changes of times, tokens and cost, around zero.

    An interval that does not touch the line at zero is drawn full, one that does
    hollow. Changes are percent of the baseline's mean.
    """
    known = [one for one in comparison.metrics if one.paired.low is not None]
    scores = [one for one in known if one.name not in MEASURES]
    changes = [one for one in known if one.name in MEASURES and one.baseline]
    panels = [panel for panel in (scores, changes) if panel]
    if not panels:
        raise ConfigError("there is no difference with an interval to plot")
    figure = make_figure(panels=len(panels), rows=max(map(len, panels)))
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        is_change = panel is changes
        _draw_differences(axes, panel, is_change=is_change)
    sides = model_names([comparison.candidate, comparison.baseline])
    figure.suptitle(" against ".join(map(label, sides)))
    return figure


def leaderboard_plot(leaderboard: "Leaderboard") -> "Figure":
    """Every run's mean with its interval, the best on top; hollow if not tied with it."""
    standings = leaderboard.standings[::-1]
    figure = make_figure(panels=1, rows=len(standings))
    axes = figure.subplots()
    for place, one in enumerate(standings):
        found = one.interval
        colour = BLUE if one.tied_with_best else GREY
        _draw_interval(
            axes, place, found.value, found.low, found.high, colour, one.tied_with_best
        )
    axes.set_yticks(range(len(standings)), [label(one.name) for one in standings])
    axes.set_ylim(-0.6, len(standings) - 0.4)
    axes.set_xlabel(
        f"{label(leaderboard.metric)} (mean, {100 * leaderboard.level:g} % interval)"
    )
    axes.set_title("full: not significantly worse than the best", fontsize="small")
    tidy(axes)
    return figure


def front_plot(front: pd.DataFrame, against: str = "cost_usd") -> "Figure":
    """Quality against what it costs; runs on the Pareto front are drawn full.

    `front` has the columns of `pareto_df`; the number beside a run is the bootstrap
    probability that it is on the front.
    """
    if against not in front or front[against].isna().all():
        raise ConfigError(f"{against} is not known of these runs")
    if (front[against].dropna() == 0).all():
        raise ConfigError(f"{against} is 0 for all of these runs")
    unit, scale = UNITS.get(against, against), 1.0
    if against.endswith("_s") and front[against].max() < 1:
        unit, scale = unit.replace("seconds", "milliseconds"), 1e3
    figure = make_figure(panels=1, rows=8)
    axes = figure.subplots()
    lines = _lines_below(front[against], front["quality"])
    for row, line in zip(front.to_dict("records"), lines, strict=True):
        colour = BLUE if row["on_front"] else GREY
        fill = colour if row["on_front"] else "white"
        place = (scale * row[against], row["quality"])
        axes.plot(*place, "o", color=colour, mfc=fill, ms=8)
        axes.annotate(
            f"{label(row['model'])} ({row['probability']:.0%})",
            place,
            xytext=(8, 4 - 11 * line),
            textcoords="offset points",
            fontsize="small",
        )
    axes.set_xlabel(f"mean {unit}")
    axes.set_ylabel("quality (mean)")
    axes.margins(x=0.3, y=0.2)
    tidy(axes)
    return figure


def _lines_below(across: "pd.Series[float]", up: "pd.Series[float]") -> list[int]:
    """How many lines each point's name goes down, so as not to lie on an earlier one's.

    Names lie on each other if their points are near: half the width, a line's height.
    """
    places = np.column_stack([across, up])
    spread = np.ptp(places, axis=0)
    near = np.where(spread > 0, spread, 1.0) * [0.5, 0.05]
    return [
        int((np.abs(places[:n] - place) < near).all(axis=1).sum())
        for n, place in enumerate(places)
    ]


def latency_plot(results: pd.DataFrame) -> "Figure":
    """What share of answers came within how long, for each model."""
    panels = {
        "time_to_first_token_s": "time to first token",
        "duration_s": "duration",
    }
    timed = results[results["error_type"].isna()]
    panels = {
        name: title for name, title in panels.items() if timed[name].notna().any()
    }
    if not panels:
        raise ConfigError("there are no times to plot")
    figure = make_figure(panels=len(panels), rows=6)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (name, title) in zip(axes, panels.items(), strict=True):
        unit = _draw_shares(panel, timed, name)
        panel.set_xlabel(f"{title}, {unit}")
    axes[0].set_ylabel("share of answers")
    axes[-1].legend(frameon=False, fontsize="small", loc="lower right")
    return figure


def _draw_differences(
    axes: "Axes", panel: "list[Compared]", *, is_change: bool
) -> None:
    points = not is_change and all(one.is_binary for one in panel)
    for place, one in enumerate(panel[::-1]):
        scale = 100.0 if points else 1.0
        if is_change and one.baseline:
            scale = 100 / one.baseline
        low, high = one.paired.low, one.paired.high
        assert low is not None and high is not None
        is_clear = not low <= 0 <= high
        ends = (scale * low, scale * high)
        middle = scale * (one.paired.difference or 0.0)
        _draw_interval(axes, place, middle, *ends, BLUE if is_clear else GREY, is_clear)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [MEASURES.get(one.name, label(one.name)) for one in panel[::-1]]
    axes.set_yticks(range(len(panel)), names)
    axes.set_ylim(-0.6, len(panel) - 0.4)
    unit = "percent of the baseline" if is_change else "points" if points else "score"
    axes.set_xlabel(f"difference, {unit}")
    tidy(axes)


def _draw_interval(
    axes: "Axes",
    place: int,
    middle: float | None,
    low: float | None,
    high: float | None,
    colour: str,
    full: bool,
) -> None:
    if middle is None:
        return
    ends = middle if low is None else low, middle if high is None else high
    axes.errorbar(
        [middle],
        [place],
        xerr=[[middle - ends[0]], [ends[1] - middle]],
        fmt="o",
        color=colour,
        mfc=colour if full else "white",
        ecolor=GREY,
        capsize=3,
    )


def _draw_shares(axes: "Axes", timed: pd.DataFrame, name: str) -> str:
    """Draw a line for each model; the unit of the axis."""
    known = timed[timed[name].notna()]
    unit, scale = ("seconds", 1.0) if known[name].max() >= 1 else ("milliseconds", 1e3)
    for number, (model, rows) in enumerate(known.groupby("model", sort=False)):
        seconds = scale * np.sort(rows[name].to_numpy(float))
        shares = np.arange(1, len(seconds) + 1) / len(seconds)
        drawn = _drawn(len(seconds))
        colour = PALETTE[number % len(PALETTE)]
        style = ("-", "--", ":", "-.")[number % 4]
        axes.step(
            seconds[drawn],
            shares[drawn],
            style,
            where="post",
            color=colour,
            label=label(model),
        )
    if known[name].max() > WIDE * known[name].min() > 0:
        set_log(axes)
    tidy(axes)
    return unit


def _drawn(count: int) -> NDArray[np.int64]:
    """Which of so many steps are drawn: all of a few, else evenly many and the last."""
    if count <= STEPS:
        return np.arange(count)
    even = np.linspace(0, count - 1, STEPS - TAIL).round().astype(np.int64)
    return np.union1d(even, np.arange(count - TAIL, count))
