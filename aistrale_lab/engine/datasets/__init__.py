"""Loading prompt sets: any common file, mapped to samples, all faults at once."""

from aistrale_lab.engine.datasets.load import load_dataset, reload

__all__ = ["load_dataset", "reload"]
