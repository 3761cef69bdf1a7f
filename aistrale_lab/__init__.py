"""AISTRALE Lab: a laboratory bench for language models that lives in a notebook.

::

    import aistrale_lab as lab

    bench = lab.Lab.open()
    task = lab.Task(dataset=lab.load_dataset("datasets/arithmetic.jsonl"),
                    scorers=["number"])
    experiment = await bench.run(task, models=["embedded/calculator"])
    experiment.summary_df()

The public names are loaded when they are first used: importing this package loads
no SDK, no widget, no server and no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aistrale_lab.domain.chat import Completion, GenerateConfig, Message, Usage
    from aistrale_lab.domain.runs import SampleResult, Score
    from aistrale_lab.domain.tasks import (
        Dataset,
        ModelRef,
        PromptTemplate,
        Sample,
        Task,
    )
    from aistrale_lab.engine.datasets import load_dataset
    from aistrale_lab.engine.thread import wait
    from aistrale_lab.errors import LabError
    from aistrale_lab.lab import Experiment, Lab, RunHandle
    from aistrale_lab.scorers import scorer
    from aistrale_lab.widgets.compare_view import CompareView
    from aistrale_lab.widgets.results_table import ResultsTable
    from aistrale_lab.widgets.run_panel import RunPanel
    from aistrale_lab.widgets.summary_view import SummaryView

_HOMES = {
    "CompareView": "aistrale_lab.widgets.compare_view",
    "Completion": "aistrale_lab.domain.chat",
    "Dataset": "aistrale_lab.domain.tasks",
    "Experiment": "aistrale_lab.lab",
    "GenerateConfig": "aistrale_lab.domain.chat",
    "Lab": "aistrale_lab.lab",
    "LabError": "aistrale_lab.errors",
    "Message": "aistrale_lab.domain.chat",
    "ModelRef": "aistrale_lab.domain.tasks",
    "PromptTemplate": "aistrale_lab.domain.tasks",
    "ResultsTable": "aistrale_lab.widgets.results_table",
    "RunHandle": "aistrale_lab.lab",
    "RunPanel": "aistrale_lab.widgets.run_panel",
    "Sample": "aistrale_lab.domain.tasks",
    "SampleResult": "aistrale_lab.domain.runs",
    "Score": "aistrale_lab.domain.runs",
    "SummaryView": "aistrale_lab.widgets.summary_view",
    "Task": "aistrale_lab.domain.tasks",
    "Usage": "aistrale_lab.domain.chat",
    "load_dataset": "aistrale_lab.engine.datasets",
    "scorer": "aistrale_lab.scorers",
    "wait": "aistrale_lab.engine.thread",
}

__all__ = [
    "CompareView",
    "Completion",
    "Dataset",
    "Experiment",
    "GenerateConfig",
    "Lab",
    "LabError",
    "Message",
    "ModelRef",
    "PromptTemplate",
    "ResultsTable",
    "RunHandle",
    "RunPanel",
    "Sample",
    "SampleResult",
    "Score",
    "SummaryView",
    "Task",
    "Usage",
    "load_dataset",
    "scorer",
    "wait",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
