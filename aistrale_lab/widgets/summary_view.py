"""`SummaryView`: who is how good, how sure, how fast and how dear; table and plots."""

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis import figures
from aistrale_lab.domain import rich
from aistrale_lab.errors import LabError
from aistrale_lab.lab.experiment import Experiment, summary_html
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.logs import visible
from aistrale_lab.widgets.lanes import rows_of
from aistrale_lab.widgets.view import Act, View, asset

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from aistrale_lab.analysis.summary_plots import Draw
    from aistrale_lab.store.records import RunRecord

EVERY = 2.0
"""Seconds between two looks while a run goes on."""


class SummaryView(View):
    """The summary of an experiment as a table, and its plots.

    `source` is an experiment, or the handle of a run: then the table follows the run,
    and the plots come at its end. `metric` is the one that is plotted, by default the
    first. Raises ConfigError for a metric that there is not.
    """

    _esm = asset("common.js", "summary_view.js")
    _css = asset("common.css", "summary_view.css")

    def __init__(
        self, source: Experiment | RunHandle[Experiment], *, metric: str | None = None
    ) -> None:
        self._source = source
        metrics = self._experiment.scorers
        if metric is not None and metric not in metrics:
            metrics = [*metrics, metric]  # one that scored later, or an error
        super().__init__(
            {
                "metrics": [visible(name) for name in metrics],
                "metric": metric or next(iter(metrics), ""),
                "plots": [],
            }
        )
        self.refresh()
        if isinstance(source, RunHandle) and not source.done():
            source.watch(self.refresh, every=EVERY)

    def refresh(self) -> None:
        """Read the summary again; when the run is over, draw it too."""
        live = isinstance(self._source, RunHandle) and not self._source.done()
        columns = self._experiment.table()
        self.show(
            headings=[column.heading.strip().split("\n") for column in columns],
            numbers=[n for n, column in enumerate(columns) if column.numeric],
            rows=[list(row) for row in zip(*(c.cells for c in columns), strict=True)],
            said=self._said(live),
            live=live,
        )
        if not live:
            self._draw()
            self.refresh_static()

    def acts(self) -> Mapping[str, Act]:
        """What the person can do."""
        return {"metric": self._choose}

    def static_html(self) -> str:
        """The table, and the plots as pictures in the page."""
        table = summary_html(self._experiment.table())
        plots = "\n".join(_figure_html(plot) for plot in self.state["plots"])
        return f"<p>{rich.text(self.state['said'])}</p>\n{table}\n{plots}"

    def static_text(self) -> str:
        """The table in lines."""
        headings = [" ".join(parts) for parts in self.state["headings"]]
        rows = [headings, *self.state["rows"]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                text.ljust(width) for text, width in zip(row, widths, strict=True)
            )
            for row in rows
        ]
        return "\n".join([f"SummaryView: {self.state['said']}", *lines])

    def _bundle(self) -> dict[str, Any]:
        """The first picture too, for whoever shows neither widgets nor HTML."""
        pictures = [plot["png"] for plot in self.state["plots"] if plot["png"]]
        return {**super()._bundle(), **{"image/png": one for one in pictures[:1]}}

    @property
    def _experiment(self) -> Experiment:
        source = self._source
        return source.so_far() if isinstance(source, RunHandle) else source

    def _said(self, live: bool) -> str:
        if live and isinstance(self._source, RunHandle):
            rows, total = rows_of(self._source.lanes)
            return f"so far: {figures.share(rows, total)} answers; the run goes on"
        record = self._experiment.record
        return f"experiment {visible(record.name)}, {record.id}; intervals are 95 %"

    def _choose(self, metric: str) -> None:
        self.show(metric=metric)
        self._draw()
        self.refresh_static()

    def _draw(self) -> None:
        """Every plot that can be drawn; of the others, why not."""
        metric = self.state["metric"] or None
        from aistrale_lab.analysis.summary_plots import PLOTS

        experiment = self._experiment
        results, runs = experiment.measures_df(), experiment.runs
        self.show(
            plots=[
                _plot(title, draw, results, runs, metric)
                for title, draw in PLOTS.items()
            ]
        )


LARGEST = 18_000
"""Bytes of a picture: four of them and a table make no large output."""


def _plot(
    title: str,
    draw: "Draw",
    results: "pd.DataFrame",
    runs: "Sequence[RunRecord]",
    metric: str | None,
) -> dict[str, Any]:
    """A plot as a picture, or the reason why there is none."""
    from aistrale_lab.analysis.summary_plots import WIDE

    plot = {"title": title, "png": "", "note": "", "wide": draw in WIDE}
    try:
        return {**plot, "png": _png(draw(results, runs, metric))}
    except LabError as error:
        return {**plot, "note": visible(error.message), "wide": False}


def _png(figure: "Figure") -> str:
    from aistrale_lab.analysis.plots import small_png

    return base64.b64encode(small_png(figure, LARGEST)).decode("ascii")


def _figure_html(plot: Mapping[str, str]) -> str:
    title = rich.text(plot["title"])
    if not plot["png"]:
        return f"<p>{title}: {rich.text(plot['note'])}</p>"
    picture = f'<img src="data:image/png;base64,{plot["png"]}" alt="{title}">'
    return f"<p>{title}</p>\n{picture}"
