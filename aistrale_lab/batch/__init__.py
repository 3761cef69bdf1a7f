"""Batches: one notebook at many points, in parallel kernels, nothing paid twice.

`run` executes what is missing and gives a `Batch`; `start` gives a handle at once.
"""

from aistrale_lab.batch.outcome import Batch
from aistrale_lab.batch.start import run, start

__all__ = ["Batch", "run", "start"]
