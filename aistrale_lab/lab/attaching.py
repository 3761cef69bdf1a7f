"""A run that is there already: what the store says of it, and who executes it."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.progress import RECENT_ERRORS, LaneProgress
from aistrale_lab.store.leases import DIED
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.tallies import count_runs, last_errors

FOLLOW = 1.0
"""Seconds between two looks at a run that another process executes."""


def make_lane(run: RunRecord) -> LaneProgress:
    """The counters of a run of which nothing was counted yet."""
    params = ", ".join(f"{name}={value}" for name, value in run.params.items())
    return LaneProgress(run.id, run.model, params, total=run.planned)


class StoredRuns:
    """The lanes of an experiment's runs as the store tells them.

    Rows that were there at first stand in `skipped`, those that came since in `done`,
    so that pace and time left are of what is seen.
    """

    def __init__(self, store: Store, runs: Sequence[RunRecord]) -> None:
        self._store = store
        self._experiment_id = runs[0].experiment_id
        self._ids = [run.id for run in runs]
        self._first = count_runs(store, self._ids)
        self.lanes = [make_lane(run) for run in runs]
        for lane in self.lanes:
            lane.skipped = self._first[lane.run_id].rows
        self.refresh()

    @property
    def owner(self) -> str | None:
        """Which other process executes one of the runs; None if nobody does."""
        return self._store.owner_of(self._ids)

    def refresh(self) -> None:
        """Read the counts and the states again."""
        counts = count_runs(self._store, self._ids)
        runs = {run.id: run for run in self._store.runs_of(self._experiment_id)}
        for lane in self.lanes:
            now, first = counts[lane.run_id], self._first[lane.run_id]
            lane.done = now.rows - first.rows
            lane.output_tokens = now.output_tokens - first.output_tokens
            lane.cost = now.cost
            if now.failed != lane.failed:
                lane.failed = now.failed
                lane.recent.clear()
                errors = last_errors(self._store, lane.run_id, RECENT_ERRORS)
                lane.recent.extend(errors)
            lane.status = runs[lane.run_id].status
            lane.reason = runs[lane.run_id].reason

    async def follow(self) -> None:
        """Refresh while another process executes a run; being cancelled ends it."""
        try:
            while await asyncio.to_thread(lambda: self.owner) is not None:
                await asyncio.to_thread(self.refresh)
                await asyncio.sleep(FOLLOW)
        except asyncio.CancelledError:
            return
        await asyncio.to_thread(self.refresh)
        self.end()

    def end(self) -> None:
        """Nobody executes the runs: one that is still called running has died."""
        for lane in self.lanes:
            lane.ended = perf_counter()
            if lane.status is RunStatus.RUNNING:
                lane.status, lane.reason = RunStatus.INTERRUPTED, DIED
