"""Reports as their reader finds them, for tests."""

import re
from collections.abc import Mapping

from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report.describe import describe
from aistrale_lab.report.render import markdown


def read_report(experiment: Experiment, title: str = "") -> Mapping[str, str]:
    """The sections of an experiment's report by their titles, as Markdown."""
    text = markdown(describe(experiment, title=title, drawn=False))
    parts = re.split(r"(?m)^## (.+)\n", text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
