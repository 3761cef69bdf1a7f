"""The plots that sum an experiment up: over its results without texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from aistrale_lab.analysis.evidence_plots import front_plot, latency_plot
from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.fronts import pareto_df
from aistrale_lab.analysis.plots import summary_plot
from aistrale_lab.analysis.run_tables import model_names
from aistrale_lab.errors import ConfigError
from aistrale_lab.store.records import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = 14
"""Twice the colours: the runs that one picture tells apart by their lines."""

Draw = Callable[[pd.DataFrame, Sequence[RunRecord], str | None], "Figure"]
"""From results, runs and the metric to a figure; a LabError says why there is none."""


def _quality(
    results: pd.DataFrame, runs: Sequence[RunRecord], metric: str | None
) -> "Figure":
    return summary_plot(_named(summary_df(results, runs), runs), metric)


def _times(
    results: pd.DataFrame, runs: Sequence[RunRecord], metric: str | None
) -> "Figure":
    if len(runs) > LINES:
        raise ConfigError(f"the lines of {len(runs)} runs cannot be told apart")
    return latency_plot(_named(results, runs))


def _named(frame: pd.DataFrame, runs: Sequence[RunRecord]) -> pd.DataFrame:
    """The frame with a model's name for each run that no other run has."""
    names = dict(zip([run.id for run in runs], model_names(runs), strict=True))
    return frame.assign(model=frame["run_id"].map(names))


def _front(against: str) -> Draw:
    def draw(
        results: pd.DataFrame, runs: Sequence[RunRecord], metric: str | None
    ) -> "Figure":
        return front_plot(pareto_df(results, runs, metric, against=[against]), against)

    return draw


PLOTS: Mapping[str, Draw] = {
    "Quality with its 95 % interval, and median times": _quality,
    "What share of answers came within how long": _times,
    "Quality against cost": _front("cost_usd"),
    "Quality against duration": _front("duration_s"),
}
"""The plots in their order."""

WIDE = (_quality, _times)
"""Those of two panels."""
