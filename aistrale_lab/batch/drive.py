"""Driving a batch: which points are missing, their kernels, and what the store says."""

import asyncio
import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aistrale_lab.batch.grid import Point
from aistrale_lab.batch.kernel import Ended, Kernel, prepare
from aistrale_lab.batch.output import add_record, make_static, write_notebook
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.values import fingerprint
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.lab.bench import Lab
from aistrale_lab.logs import redact, visible
from aistrale_lab.store.records import (
    BatchRecord,
    PointRecord,
    PointStatus,
    RunRecord,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode

LOOK = 0.5
"""Seconds between two looks at how far the points are."""


@dataclass(slots=True)
class Drive:
    """One call of a batch: executes the points that the store does not call done."""

    bench: Lab
    batch: BatchRecord
    notebook: "NotebookNode"
    path: Path
    points: Sequence[Point]
    out: Path
    jobs: int
    lanes: list[LaneProgress] = field(default_factory=list, init=False)
    interrupted: bool = field(default=False, init=False)
    """Whether it was stopped before its end."""
    _waiting: deque[Point] = field(default_factory=deque, init=False)
    _kernels: set[Kernel] = field(default_factory=set, init=False)
    _stopping: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        source = source_of(self.notebook)
        renamed = self.bench.batches.put_points(
            [
                PointRecord(
                    batch_id=self.batch.id,
                    key=point.key,
                    name=point.name,
                    position=place,
                    parameters=point.parameters,
                    varied=point.varied,
                    source=fingerprint([source, point.parameters]),
                )
                for place, point in enumerate(self.points)
            ]
        )
        self._rename(renamed)
        self.lanes = [
            LaneProgress(point.key, point.name, "", total=0) for point in self.points
        ]
        self._waiting = deque(self.missing())
        self._count(first=True)

    def missing(self) -> list[Point]:
        """The points that the store does not call done, or whose notebook is gone."""
        stored = {one.key: one for one in self.bench.batches.points(self.batch.id)}
        runs = self.bench.batches.runs(self.batch.id)
        return [
            point
            for point in self.points
            if not (
                stored[point.key].status is PointStatus.COMPLETED
                and runs.get(point.key)
                and not any(map(self.bench.batches.unanswered, runs[point.key]))
                and is_of_point(self.path_of(point), point)
            )
        ]

    def path_of(self, point: Point) -> Path:
        """Where the notebook of a point is written."""
        return self.out / f"{point.name}.ipynb"

    async def conduct(self) -> None:
        """Execute what is missing, so many kernels at once.

        Being cancelled stops the kernels' runs and waits for them; being cancelled
        again ends the kernels. Raises StoreError or OSError if the machine fails.
        """
        embedded = await self._embedded()
        workers = [
            asyncio.create_task(self._work(embedded))
            for _ in range(min(self.jobs, len(self._waiting)))
        ]
        watcher = asyncio.create_task(self._watch())
        try:
            try:
                await self._first_failure(workers)
            except asyncio.CancelledError:
                self.interrupted = True
                self._stop()
                await self._first_failure(workers)
        finally:
            self._stop()
            for task in [watcher, *workers]:
                task.cancel()
            await asyncio.gather(watcher, *workers, return_exceptions=True)
            await asyncio.to_thread(self._count)
            await asyncio.to_thread(self.bench.batches.close, self.batch.id)

    async def _first_failure(self, workers: Sequence["asyncio.Task[None]"]) -> None:
        """Wait for all workers; the first that fails stops the others."""
        waited = set(workers)
        while waited:
            done, waited = await asyncio.wait(waited, return_when="FIRST_COMPLETED")
            for task in done:
                if task.exception() is not None:
                    self._stop()
        for task in workers:
            task.result()

    def _stop(self) -> None:
        self._stopping = True
        self._waiting.clear()
        for kernel in self._kernels:
            kernel.stop()

    async def _work(self, embedded: str | None) -> None:
        while self._waiting:
            await self._execute(self._waiting.popleft(), embedded)

    async def _execute(self, point: Point, embedded: str | None) -> None:
        batches = self.bench.batches
        record = await asyncio.to_thread(batches.get_point, self.batch.id, point.key)
        await asyncio.to_thread(batches.begin, record)
        made = prepare(self.notebook, point.parameters)
        environment = self.bench.environment_of_point(record, str(self.path), embedded)
        kernel = Kernel(made, self.path.parent, {**os.environ, **environment})
        self._kernels.add(kernel)
        try:
            if self._stopping:
                kernel.stop()
            ended = await kernel.execute()
        except asyncio.CancelledError:
            ended = Ended(PointStatus.INTERRUPTED, "stopped")
            raise
        finally:
            self._kernels.discard(kernel)
            await asyncio.shield(
                asyncio.to_thread(self._end, record, point, made, ended)
            )

    def _end(
        self, record: PointRecord, point: Point, made: "NotebookNode", ended: Ended
    ) -> None:
        """Judge a point by its runs, write its notebook, and only then call it done."""
        runs = self.bench.batches.runs(self.batch.id).get(point.key, [])
        ended = judge(ended, runs)
        if ended.reason is not None:  # an error's words may hold anything
            reason = redact(ended.reason, self.bench.secrets)
            ended = Ended(ended.status, reason)
        if ended.status is not PointStatus.INTERRUPTED:
            make_static(made)
            self._record(point, made, ended, runs)
            try:
                write_notebook(made, self.path_of(point), self.bench.secrets)
            except OSError as error:
                reason = f"its notebook was not written: {error.strerror}"
                self.bench.batches.end(record, PointStatus.FAILED, reason)
                raise
        self.bench.batches.end(record, ended.status, ended.reason)

    def _record(
        self,
        point: Point,
        made: "NotebookNode",
        ended: Ended,
        runs: Sequence[RunRecord],
    ) -> None:
        facts = {
            "batch_id": self.batch.id,
            "point": point.name,
            "key": point.key,
            "parameters": point.parameters,
            "status": ended.status.value,
            "reason": ended.reason,
            "store": self.bench.store_url,
            "experiment_ids": list(dict.fromkeys(r.experiment_id for r in runs)),
            "run_ids": [run.id for run in runs],
        }
        add_record(made, facts, record_text(facts, runs, self.out))

    def _rename(self, renamed: Mapping[str, str]) -> None:
        """A point that is called otherwise by now keeps its notebook."""
        for old, new in renamed.items():
            path = self.out / f"{old}.ipynb"
            if path.exists():
                os.replace(path, self.out / f"{new}.ipynb")

    async def _embedded(self) -> str | None:
        """One server of the models in the box for all kernels, if they are asked."""
        text = json.dumps(
            [source_of(self.notebook), [p.parameters for p in self.points]]
        )
        if not self._waiting or "embedded/" not in text:
            return None
        return await asyncio.wrap_future(self.bench.start_embedded())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await asyncio.to_thread(self._count)

    def _count(self, first: bool = False) -> None:
        """Bring the lanes to what the store says."""
        stored = {one.key: one for one in self.bench.batches.points(self.batch.id)}
        tallies = self.bench.batches.tallies(self.batch.id)
        planned = self.bench.batches.planned(self.batch.id)
        for lane in self.lanes:
            tally, point = tallies.get(lane.run_id), stored[lane.run_id]
            if tally is not None:
                lane.total = planned[lane.run_id]
                lane.skipped = tally.rows if first else lane.skipped
                lane.done = tally.rows - lane.skipped
                lane.failed = tally.failed
                lane.output_tokens = tally.output_tokens
                lane.cost = tally.cost
            status = RunStatus(point.status.value)
            if status is RunStatus.RUNNING and lane.status is not status:
                lane.began = perf_counter()
            waits = any(p.key == lane.run_id for p in self._waiting)
            lane.status = RunStatus.PENDING if waits else status
            lane.reason = point.reason


def judge(ended: Ended, runs: Sequence[RunRecord]) -> Ended:
    """A notebook that came to its end is done only if the store has all its answers."""
    if ended.status is not PointStatus.COMPLETED:
        return ended
    if not runs:
        return Ended(
            PointStatus.FAILED,
            "the notebook ran nothing in the batch's store: leave its bench "
            "`Lab.open()`, without another store",
        )
    for run in runs:
        if run.status is not RunStatus.COMPLETED:
            why = f"{run.model} is {run.status}"
            return Ended(
                PointStatus.FAILED, f"{why}: {run.reason}" if run.reason else why
            )
    return ended


def source_of(notebook: "NotebookNode") -> list[str]:
    """What the notebook does: the source of its code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def is_of_point(path: Path, point: Point) -> bool:
    """Whether a file holds the whole notebook of this point, and not another's."""
    try:
        facts = json.loads(path.read_bytes())["metadata"]["aistrale"]
        return bool(facts["key"] == point.key)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def record_text(
    facts: Mapping[str, Any], runs: Sequence[RunRecord], folder: Path
) -> str:
    """The last cell of an output notebook: what it is, and where its answers are."""
    store = str(facts["store"])
    file = store.removeprefix("sqlite:///")
    if file != store:
        store = f"[{Path(file).name}]({os.path.relpath(file, folder)})"
    lines = [
        f"Point **{facts['point']}** of batch `{facts['batch_id']}`: {facts['status']}"
        + (f", {visible(str(facts['reason']))}" if facts["reason"] else ""),
        *(
            f"- run `{run.id}` of experiment `{run.experiment_id}`: {run.model}, "
            f"{run.completed} of {run.planned} answered"
            for run in runs
        ),
        f"- store: {store}",
    ]
    return "\n".join(lines)
