"""What a page of results shows at first, and how it says what it shows."""

from aistrale_lab.analysis import figures
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.store.page_search import NUMBERS, PageQuery
from aistrale_lab.store.pages import Page

PLAIN = ("model", "sample_id", "input", "target", "output")
"""The columns that are shown at first, before the scores."""


def default_columns(experiment: Experiment) -> list[str]:
    """What one wants to see first; epochs, costs and errors only where there are any."""
    known = experiment.columns()
    scores = [name for name in known if name.startswith("score_")]
    params = [name for name in known if name.startswith("param_")]
    runs = experiment.runs
    shown = ["model", *params, *PLAIN[1:2]]
    shown += ["epoch"] if experiment.record.task["epochs"] > 1 else []
    shown += [*PLAIN[2:], *scores, "duration_s"]
    shown += ["cost_usd"] if any(run.price for run in runs) else []
    return [*shown, "error_type"] if any(run.failed for run in runs) else shown


def is_number(name: str) -> bool:
    """Whether a column holds numbers or times."""
    return name in NUMBERS or name.startswith("score_")


def page_said(page: Page, query: PageQuery, *, live: bool) -> str:
    """Which rows of how many; while a run goes on, that it does."""
    first, last = query.offset + 1, query.offset + len(page.rows)
    if not page.rows:
        said = "no results yet" if page.total == 0 else "no result fits"
    else:
        said = f"{first:,} to {last:,} of {figures.count(page.found)} results"
    if page.found != page.total:
        said += f" (filtered from {figures.count(page.total)})"
    return f"{said}; the run goes on" if live else said
