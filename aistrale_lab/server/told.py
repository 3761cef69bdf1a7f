"""What is told of experiments, runs and datasets, and who may be told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import NotFoundError
from aistrale_lab.server.caller import caller_of
from aistrale_lab.store.records import (
    DatasetRecord,
    ExperimentRecord,
    RunRecord,
    Visibility,
)

ID = "^[0-9a-z]{14}$"

StoredId = Annotated[str, Path(pattern=ID)]
"""The whole id of an experiment or a run, in a path."""

Limit = Annotated[int, Query(ge=1, le=500)]
"""How many things a page has at most."""


class Run(BaseModel):
    """A run, and how far it came: `planned` is samples x epochs."""

    id: str
    experiment_id: str
    name: str
    position: int
    provider: str
    model_name: str
    base_url: str | None
    params: dict[str, Any]
    config: dict[str, Any]
    stream: bool
    price: dict[str, Any] | None
    status: RunStatus
    reason: str | None
    planned: int
    completed: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    batch_id: str | None
    point: str | None
    origin: dict[str, Any] | None

    @classmethod
    def of(cls, run: RunRecord) -> "Run":
        """What is told of a stored run."""
        return cls(**run.model_dump())


class Experiment(BaseModel):
    """An experiment with its runs. `mine`: whether the caller may change it."""

    id: str
    name: str
    owner: str | None
    visibility: Visibility
    mine: bool
    dataset: str
    task: dict[str, Any]
    tags: dict[str, Any]
    created_at: datetime
    runs: list[Run]

    @classmethod
    def of(
        cls, record: ExperimentRecord, runs: Sequence[RunRecord], request: Request
    ) -> "Experiment":
        """What is told of a stored experiment."""
        known = record.model_dump(exclude={"identity", "provenance"})
        mine = caller_of(request).viewer.may_change(record)
        return cls(**known, mine=mine, runs=[Run.of(run) for run in runs])


class Dataset(BaseModel):
    """A dataset, without its samples: `samples` counts them."""

    fingerprint: str
    name: str
    samples: int

    @classmethod
    def of(cls, record: DatasetRecord) -> "Dataset":
        """What is told of a stored dataset."""
        return cls(**record.model_dump(exclude={"source"}))


def seen_experiment(request: Request, experiment_id: str) -> ExperimentRecord:
    """An experiment that the caller sees; raises NotFoundError for all others."""
    record: ExperimentRecord = _store(request).get_experiment(experiment_id)
    caller_of(request).viewer.check_sees(record)
    return record


def own_experiment(request: Request, experiment_id: str) -> ExperimentRecord:
    """One that the caller may change; raises NotFoundError or ForbiddenError."""
    record: ExperimentRecord = _store(request).get_experiment(experiment_id)
    caller_of(request).viewer.check_changes(record)
    return record


def seen_run(request: Request, run_id: str) -> RunRecord:
    """A run that the caller sees; raises NotFoundError for all others."""
    run: RunRecord = _store(request).get_run(run_id)
    record = _store(request).get_experiment(run.experiment_id)
    if not caller_of(request).viewer.may_see(record):
        raise NotFoundError(f"there is no run {run_id!r}; `aistrale runs` lists them")
    return run


def tell(request: Request, experiment_id: str) -> Experiment:
    """An experiment as it stands now."""
    record = _store(request).get_experiment(experiment_id)
    return Experiment.of(record, _store(request).runs_of(experiment_id), request)


def _store(request: Request) -> Any:
    return request.app.state.bench.store
