"""The facade: `Lab` joins runners, engine, scorers, store and analysis."""

from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.options import RunOptions

__all__ = ["Experiment", "Lab", "RunHandle", "RunOptions"]
