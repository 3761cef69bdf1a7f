"""What a batch holds, and whether it shows what it must."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis.gates import Gate
from aistrale_lab.analysis.summary import run_objects
from aistrale_lab.batch.grid import Point
from aistrale_lab.domain import rich
from aistrale_lab.errors import ValidationError, one_of
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.store.records import BatchRecord, PointRecord, PointStatus

if TYPE_CHECKING:
    import pandas as pd


INDEX = "index.html"
"""The page of a batch in its folder."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A gate held against one run."""

    gate: Gate
    point: str
    model: str
    met: bool
    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.gate}: {self.point}, {self.model} has no such metric"
        ends = "no interval"
        if self.low is not None and self.high is not None:
            ends = f"[{self.low:.3f}, {self.high:.3f}]"
        return f"{self.gate}: {self.point}, {self.model} has {self.value:.3f} {ends}"


class Batch:
    """The points of a batch and their runs, read from the store when asked for."""

    def __init__(
        self, bench: Lab, record: BatchRecord, points: Sequence[Point], out: Path
    ) -> None:
        self._bench = bench
        self._asked = {point.key: point for point in points}
        self.record = record
        self.id = record.id
        self.out = out
        """The folder with one notebook a point."""

    @property
    def store_url(self) -> str:
        """Where the answers are, without any password."""
        return self._bench.store_url

    @property
    def points(self) -> list[PointRecord]:
        """The points that were asked for, in their order, as the store has them."""
        stored = self._bench.batches.points(self.id)
        return [point for point in stored if point.key in self._asked]

    @property
    def complete(self) -> bool:
        """Whether every point is done and no sample of it failed."""
        done = all(point.status is PointStatus.COMPLETED for point in self.points)
        return done and not any(r["failed"] for o in self.objects() for r in o["runs"])

    @property
    def experiments(self) -> list[Experiment]:
        """The experiments of the batch: one for all points that ask the same."""
        runs = [
            r for found in self._bench.batches.runs(self.id).values() for r in found
        ]
        found = dict.fromkeys(run.experiment_id for run in runs)
        return [self._bench.experiment(one) for one in found]

    @property
    def index(self) -> Path | None:
        """The page that leads to notebooks and reports; None if there is none."""
        page = self.out / INDEX
        return page if page.exists() else None

    def path_of(self, point: PointRecord) -> Path:
        """Where the notebook of a point is."""
        return self.out / f"{point.name}.ipynb"

    def objects(self) -> list[dict[str, Any]]:
        """One JSON object a point: its name, state, parameters, notebook and runs."""
        runs = {run["run_id"]: run for run in self._run_objects()}
        of_point = self._bench.batches.runs(self.id)
        return [
            {
                "name": point.name,
                "status": point.status.value,
                "reason": point.reason,
                "parameters": point.parameters,
                "varied": point.varied,
                "notebook": str(self.path_of(point)),
                "runs": [runs[run.id] for run in of_point.get(point.key, [])],
            }
            for point in self.points
        ]

    def summary_df(self) -> "pd.DataFrame":
        """The summaries of all experiments, with the point of each run in front."""
        import pandas as pd

        names = {point.key: point.name for point in self.points}
        of_point = self._bench.batches.runs(self.id)
        points = {
            run.id: names.get(key) for key, runs in of_point.items() for run in runs
        }
        frames = [experiment.summary_df() for experiment in self.experiments]
        if not frames:
            return pd.DataFrame()
        found = pd.concat(frames, ignore_index=True)
        found.insert(0, "point", found["run_id"].map(points))
        return found

    def check(self, gates: Sequence[Gate]) -> list[Finding]:
        """Every gate against every run; raises ValidationError for unknown metrics."""
        objects = self.objects()
        runs = [(one["name"], run) for one in objects for run in one["runs"]]
        known = {name for _, run in runs for name in run["metrics"]}
        for gate in gates:
            if runs and gate.metric not in known:
                raise ValidationError(
                    f"no metric {gate.metric!r}; the batch has {one_of(known)}"
                )
        return [_found(gate, name, run) for gate in gates for name, run in runs]

    def _run_objects(self) -> list[dict[str, Any]]:
        found = []
        for experiment in self.experiments:
            runs = list(experiment.runs)
            frames = experiment.measures_df(), experiment.summary_df()
            found += run_objects(runs, *frames)
        return found

    def _repr_html_(self) -> str:
        """One row a point: its state, answers and notebook; all text escaped."""
        rows = [
            [
                one["name"],
                one["status"] + (f": {one['reason']}" if one["reason"] else ""),
                f"{sum(run['completed'] for run in one['runs']):,}",
                f"{sum(run['failed'] for run in one['runs']):,}",
            ]
            for one in self.objects()
        ]
        head = rich.facts(f"Batch {self.record.name}", [("batch", self.id)])
        table = rich.table(["point", "status", "answered", "failed"], rows)
        return f"{head}\n{table}"

    def __repr__(self) -> str:
        done = sum(point.status is PointStatus.COMPLETED for point in self.points)
        told = f"{done} of {len(self._asked)} points completed"
        return f"<Batch {self.id} {self.record.name!r} ({told})>"


def _found(gate: Gate, point: str, run: dict[str, Any]) -> Finding:
    metric = run["metrics"].get(gate.metric, {})
    low, high = metric.get("ci_low"), metric.get("ci_high")
    return Finding(
        gate=gate,
        point=point,
        model=run["model"],
        met=gate.admits(low, high),
        value=metric.get("value"),
        low=low,
        high=high,
    )
