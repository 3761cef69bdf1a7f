"""Plots of summaries: colour-blind safe, with units, the same online and offline."""

import io
from typing import TYPE_CHECKING

import pandas as pd

from aistrale_lab.errors import ConfigError
from aistrale_lab.logs import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#666666"
"""Of the palette of Okabe and Ito (2008), distinct under every colour blindness."""

LONGEST = 48
"""Characters of a name on a plot."""

DPI = 140.0
"""Dots per inch of a plot that is not too large for them."""

LARGEST = 100_000
"""Bytes of a plot that shows itself: a cell's output stays below 200 kB."""

LONGEST_SIDE = 20_000
"""Pixels."""

COLOURS = 64

ROWS = 40
"""Models that a plot names; of more, those that come out highest."""

WIDE = 30
"""From this ratio of the longest to the shortest time on, the axis is logarithmic."""


def summary_plot(summary: pd.DataFrame, metric: str | None = None) -> "Figure":
    """Each model's metric with its interval, beside its times.

    `summary` has the columns of `summary_df`; `metric` defaults to the first one.
    Of more than `ROWS` models only the highest are drawn, and the plot says so.
    The right panel shows the medians of time to first token and duration, in
    seconds, and is left out where no time is known. Raises ConfigError if the
    metric is not there, or if matplotlib is not installed.
    """
    metric, rows = _rows_of(summary, metric)
    timed = bool(rows["duration_p50_s"].notna().any())
    figure = make_figure(panels=2 if timed else 1, rows=len(rows))
    axes = figure.subplots(1, 2 if timed else 1, sharey=True, squeeze=False)[0]
    asked = summary["model"].nunique()
    if asked > ROWS:
        axes[0].set_title(f"the highest {ROWS} of {asked:,}", loc="left")
    _draw_metric(axes[0], rows, metric)
    if timed:
        _draw_times(axes[1], rows)
    return figure


def _rows_of(summary: pd.DataFrame, metric: str | None) -> tuple[str, pd.DataFrame]:
    known = list(dict.fromkeys(summary["metric"].dropna()))
    if not known:
        raise ConfigError("there is no metric to plot: the runs have no scorer")
    metric = metric or str(known[0])
    if metric not in known:
        raise ConfigError(f"unknown metric {metric!r}; known: {', '.join(known)}")
    rows = summary[summary["metric"] == metric]
    ordered = rows.sort_values("value", kind="stable", na_position="first")
    return metric, ordered.tail(ROWS).reset_index(drop=True)


def make_figure(*, panels: int, rows: int) -> "Figure":
    """A figure with room for so many panels and rows, which shows itself.

    Raises ConfigError if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "plots need matplotlib: pip install 'aistrale-lab[notebook]'"
        ) from None

    class Plot(Figure):
        """A figure that shows itself in a notebook, without pyplot's global state."""

        def _repr_png_(self) -> bytes:
            return small_png(self, LARGEST)

    return Plot(
        figsize=(4.6 * panels + 1.2, 1.1 + 0.38 * rows), layout="constrained", dpi=DPI
    )


def small_png(figure: "Figure", largest: int) -> bytes:
    """A figure as PNG of at most so many bytes: as sharp as they allow."""
    dpi = min(DPI, LONGEST_SIDE / max(figure.get_size_inches()))
    while len(picture := _few_colours(figure, dpi)) > largest:
        dpi *= 0.7
    return picture


def _few_colours(figure: "Figure", dpi: float) -> bytes:
    """A plot has few colours: a palette of them takes a third of the bytes."""
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    palette = Image.open(drawn).convert("RGB").quantize(COLOURS)
    palette.save(packed, format="png", optimize=True)
    return packed.getvalue()


def _draw_metric(axes: "Axes", rows: pd.DataFrame, metric: str) -> None:
    places = range(len(rows))
    value = rows["value"].astype(float)
    low = rows["ci_low"].astype(float).fillna(value)
    high = rows["ci_high"].astype(float).fillna(value)
    axes.errorbar(
        value,
        places,
        xerr=[value - low, high - value],
        fmt="o",
        color=BLUE,
        ecolor=GREY,
        capsize=3,
    )
    axes.set_yticks(list(places), [label(name) for name in rows["model"]])
    axes.set_xlabel(f"{label(metric)} (mean, 95 % interval)")
    axes.set_ylim(-0.6, len(rows) - 0.4)
    if low.min() >= 0 and high.max() <= 1:
        axes.set_xlim(-0.02, 1.02)
    tidy(axes)


def _draw_times(axes: "Axes", rows: pd.DataFrame) -> None:
    known = rows[["ttft_p50_s", "duration_p50_s"]].astype(float)
    longest, shortest = known.max().max(), known.min().min()
    unit, scale = ("seconds", 1.0) if longest >= 1 else ("milliseconds", 1e3)
    for column, marker, colour, label in (
        ("ttft_p50_s", "^", ORANGE, "time to first token"),
        ("duration_p50_s", "o", BLUE, "duration"),
    ):
        axes.plot(
            known[column] * scale,
            range(len(rows)),
            marker,
            color=colour,
            label=label,
            linestyle="none",
        )
    axes.set_xlabel(f"median, {unit}")
    if longest > WIDE * shortest > 0:
        set_log(axes)
    else:
        axes.set_xlim(0, longest * scale * 1.1)
        axes.locator_params(axis="x", nbins=6)
    axes.legend(
        frameon=False,
        fontsize="small",
        ncols=2,
        loc="lower left",
        bbox_to_anchor=(0, 1),  # above: no value lies there
        borderaxespad=0,
    )
    tidy(axes)


def label(text: object) -> str:
    """A name as a plot bears it: in one line, cut, and never read as a formula."""
    words = " ".join(visible(str(text)).split())
    words = words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
    return words.replace("$", r"\$")


def set_log(axes: "Axes") -> None:
    """A logarithmic axis of times, its powers of ten as plain numbers."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def tidy(axes: "Axes") -> None:
    """The house's look: grid lines across the values, no frame."""
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
