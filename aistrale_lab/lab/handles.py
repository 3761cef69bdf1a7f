"""The handles that a bench has given, to be found again and ended with it."""

import contextlib
from typing import Any

from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle


class Handles:
    """Every handle of a bench, oldest first."""

    def __init__(self) -> None:
        self._given: list[RunHandle[Any]] = []

    def add(self, handle: RunHandle[Any]) -> None:
        """Remember a handle."""
        self._given.append(handle)

    def find(self, experiment_id: str) -> RunHandle[Experiment] | None:
        """The newest handle of an experiment, if that goes on."""
        handle: RunHandle[Experiment]
        for handle in reversed(self._given):
            if handle.experiment_id == experiment_id and not handle.done():
                return handle
        return None

    def close(self) -> None:
        """Leave every run, and wait until each has ended."""
        for handle in self._given:
            handle.leave()
        for handle in self._given:
            with contextlib.suppress(Exception):  # whoever waits for it is told
                handle.wait()
