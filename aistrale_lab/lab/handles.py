"""The handles that a bench has given, to be found again and ended with it."""

import contextlib
from collections.abc import Collection, Sequence
from typing import Any

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store


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

    def find_executing(
        self, experiment_id: str, run_ids: Collection[str], store: Store
    ) -> RunHandle[Experiment] | None:
        """The handle under which this bench executes all of these runs, if it does.

        One whose runs have just ended is waited for.
        """
        handle: RunHandle[Experiment]
        for handle in reversed(self._given):
            here = handle.experiment_id == experiment_id and handle.owner is None
            lanes = {lane.run_id for lane in handle.lanes}
            if here and lanes.issuperset(run_ids) and not handle.done():
                runs = store.runs_of(experiment_id)
                if _is_running(runs, run_ids):
                    return handle
                with contextlib.suppress(Exception):  # whoever waits for it is told
                    handle.wait()
        return None

    def close(self) -> None:
        """Leave every run, and wait until each has ended."""
        for handle in self._given:
            handle.leave()
        for handle in self._given:
            with contextlib.suppress(Exception):  # whoever waits for it is told
                handle.wait()


def _is_running(runs: Sequence[RunRecord], which: Collection[str]) -> bool:
    return any(run.id in which and run.status is RunStatus.RUNNING for run in runs)
