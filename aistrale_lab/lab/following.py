"""A run on a server, followed by its events to its end."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import monotonic, perf_counter
from typing import Any

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.errors import StoreError
from aistrale_lab.lab.mirror import Mirror
from aistrale_lab.lab.progress import is_over
from aistrale_lab.lab.team import Team
from aistrale_lab.store.tallies import count_runs

AGAIN = 1.0
"""Seconds between two looks for new rows, and between two tries to reach the server."""

PATIENCE = 120.0
"""Seconds that the server may be away while a run is followed."""


class Following:
    """Brings lanes and rows of an experiment here while the server executes it.

    `begun` are the lanes as the server told them first: what was there by then stands
    in `skipped`, so that pace and time left are of what is seen. None: as the first
    event tells them.
    """

    def __init__(
        self,
        team: Team,
        mirror: Mirror,
        experiment_id: str,
        lanes: Sequence[LaneProgress],
        begun: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        self._team = team
        self._mirror = mirror
        self._id = experiment_id
        self._lanes = {lane.run_id: lane for lane in lanes}
        self._there = None if begun is None else _rows(begun, "skipped")
        self._reading: asyncio.Task[str] | None = None
        self._read_at = 0.0
        self.looks_on = False
        """Whether being cancelled ends the following alone, and not the run."""

    async def follow(self) -> None:
        """Follow to the end; being cancelled stops the run, and then follows on."""
        listening = asyncio.create_task(self._listen())
        try:
            await asyncio.shield(listening)
        except asyncio.CancelledError:
            if not self.looks_on:
                path = f"experiments/{self._id}/cancel"
                await asyncio.to_thread(self._team.post, path)
                await listening
                return
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def _listen(self) -> None:
        """Hear the events to the last; one that is interrupted is asked again."""
        give_up = monotonic() + PATIENCE
        while True:
            try:
                async for name, content in self._events():
                    give_up = monotonic() + PATIENCE
                    if name == "end":
                        await self._end(content)
                        return
                    self._take(content)
            except StoreError:
                if monotonic() > give_up:
                    raise
            if monotonic() > give_up:
                raise StoreError(f"{self._team.url} stopped telling of {self._id}")
            await asyncio.sleep(AGAIN)

    def _events(self) -> Any:
        return self._team.events(f"experiments/{self._id}/events")

    async def _end(self, told: Mapping[str, Any]) -> None:
        if self._reading is not None:
            await asyncio.wait([self._reading])
        await asyncio.to_thread(self._mirror.refresh, self._id)
        await asyncio.to_thread(self._count)
        if told["failure"] is not None:
            raise StoreError(f"{self._team.url} could not go on: {told['failure']}")

    def _count(self) -> None:
        """The tokens of a run that was over before it could be heard of."""
        tallies = count_runs(self._mirror.store, list(self._lanes))
        for run_id, lane in self._lanes.items():
            if not lane.skipped:
                lane.output_tokens = tallies[run_id].output_tokens

    def _take(self, lanes: Sequence[Mapping[str, Any]]) -> None:
        """Show what the server counts, and read its new rows now and then."""
        before = sum(lane.done for lane in self._lanes.values())
        if self._there is None:
            self._there = _rows(lanes, "skipped", "done")
        for told in lanes:
            run_id = told["run_id"]
            if run_id in self._lanes:
                _show(self._lanes[run_id], told, self._there.get(run_id, 0))
        idle = self._reading is None or self._reading.done()
        changed = sum(lane.done for lane in self._lanes.values()) != before
        if changed and idle and monotonic() > self._read_at + AGAIN:
            self._read_at = monotonic()
            reading = asyncio.to_thread(self._mirror.refresh, self._id)
            self._reading = asyncio.create_task(reading)
            self._reading.add_done_callback(_look_at)


def _rows(lanes: Sequence[Mapping[str, Any]], *names: str) -> dict[str, int]:
    return {lane["run_id"]: sum(lane[name] for name in names) for lane in lanes}


def _show(lane: LaneProgress, told: Mapping[str, Any], there: int) -> None:
    """Set a lane's counters as the server tells them; `there` rows were there before."""
    lane.skipped = there
    lane.done = told["skipped"] + told["done"] - there
    lane.output_tokens = max(lane.output_tokens, told["output_tokens"])
    for name in ("total", "failed", "in_flight", "attempts", "reason", "over_budget"):
        setattr(lane, name, told[name])
    lane.cost = None if told["cost_usd"] is None else Decimal(told["cost_usd"])
    lane.status = RunStatus(told["status"])
    wait = float(told["rate_limited_s"])
    lane.rate_limited = lambda: wait
    lane.errors.clear()
    lane.errors.update(told["errors"])
    lane.recent.clear()
    lane.recent.extend(told["recent"])
    lane.ended = perf_counter() if is_over(lane) else None


def _look_at(reading: "asyncio.Task[str]") -> None:
    """A reading that failed is made again at the end, and then its failure counts."""
    if not reading.cancelled():
        reading.exception()
