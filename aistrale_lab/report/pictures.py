"""Plots as SVG pictures within the page."""

import base64
import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from aistrale_lab.analysis.compare import Comparison
from aistrale_lab.analysis.summary_plots import PLOTS, WIDE
from aistrale_lab.errors import LabError
from aistrale_lab.report.description import Block, Line, Picture
from aistrale_lab.report.material import RANKED, Material
from aistrale_lab.report.texts import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 500_000
"""Bytes of a picture in base64; what is larger is left out."""


def summary_pictures(material: Material, metric: str | None) -> dict[str, Block]:
    """The plots of an experiment by their titles; of one that cannot be, why not."""
    runs = material.runs
    if len(runs) > RANKED:
        told = f"{len(runs):,} runs are too many for one picture"
        return {title: _why_not(title, told) for title in PLOTS}
    return {
        title: _picture(
            title,
            lambda draw=draw: draw(material.results, runs, metric),  # type: ignore[misc]
            wide=draw in WIDE,
        )
        for title, draw in PLOTS.items()
    }


def compare_picture(comparison: Comparison) -> Block:
    """Every difference with its interval."""
    return _picture(
        "Differences with their 95 % intervals; hollow where zero lies within",
        comparison.plot,
        wide=True,
    )


def _picture(title: str, draw: "Callable[[], Figure]", *, wide: bool) -> Block:
    try:
        svg = _svg(draw())
    except LabError as error:
        return _why_not(title, error.message)
    if len(svg) > LARGEST:
        return _why_not(title, "the picture would be too large for this page")
    text = f"Plot: {title}. The numbers stand in the tables of this report."
    return Picture(title, svg, text, wide)


def _why_not(title: str, reason: str) -> Line:
    return Line(shown(f"There is no plot “{title}”: {reason}."), "muted")


def _svg(figure: "Figure") -> str:
    written = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box: a name, not the picture.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(
            written,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    return base64.b64encode(written.getvalue()).decode("ascii")
