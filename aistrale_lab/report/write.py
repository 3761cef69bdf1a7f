"""A report as a file: its suffix chooses the form, and it appears whole or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path

from aistrale_lab.analysis.whole_file import whole_file
from aistrale_lab.errors import ConfigError, one_of
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report.describe import describe
from aistrale_lab.report.render import html, markdown


def write_report(experiment: Experiment, path: Path | str, *, title: str = "") -> int:
    """Write the report of an experiment; returns the bytes written.

    `.html` is one page that loads nothing and runs nothing, `.md` the same as text
    without plots. `title` is its heading, by default the experiment's name. Raises
    ConfigError for another suffix, StoreError if the file cannot be written.
    """
    file = Path(path)
    make = check_suffix(file)
    with whole_file(file) as opened:  # a folder that is not there costs no work
        return opened.write(make(experiment, title).encode("utf-8", "replace"))


def check_suffix(path: Path) -> "Make":
    """How a report of that name is made; raises ConfigError for an unknown suffix."""
    make = SUFFIXES.get(path.suffix.lower())
    if make is None:
        raise ConfigError(
            f"a report cannot be written to {path.name!r}; known suffixes: "
            f"{one_of(SUFFIXES)}"
        )
    return make


def _html(experiment: Experiment, title: str) -> str:
    return html(describe(experiment, title=title))


def _markdown(experiment: Experiment, title: str) -> str:
    return markdown(describe(experiment, title=title, drawn=False))


Make = Callable[[Experiment, str], str]
"""From an experiment and a title to the whole text."""

SUFFIXES: Mapping[str, Make] = {".html": _html, ".md": _markdown}
"""The forms of a report."""
