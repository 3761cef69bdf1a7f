"""The rows of the store. Times are UTC, durations seconds, money exact text.

No `from __future__ import annotations` here: SQLModel reads the annotations.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from aistrale_lab.store import team_tables as team
from aistrale_lab.store.columns import json_column, text_column, time_column


class DatasetRow(SQLModel, table=True):
    """A prompt set, by the fingerprint of its samples."""

    __tablename__ = "datasets"

    fingerprint: str = Field(primary_key=True)
    name: str
    samples: int
    source: dict[str, Any] | None = json_column()


class SampleRow(SQLModel, table=True):
    """A sample, by the fingerprint of its content: stored once, however often used."""

    __tablename__ = "samples"

    key: str = Field(primary_key=True)
    input: str = text_column(nullable=False)
    conversation: bool = False
    target: str | None = text_column()
    group_name: str | None = text_column()
    meta: dict[str, Any] | None = json_column()


class DatasetSampleRow(SQLModel, table=True):
    """Which samples a dataset holds, in which order and under which ids."""

    __tablename__ = "dataset_samples"
    __table_args__ = (
        PrimaryKeyConstraint("dataset", "position"),
        UniqueConstraint("dataset", "sample_id"),
    )

    dataset: str = Field(foreign_key="datasets.fingerprint")
    position: int
    sample_id: str = text_column(nullable=False)
    sample_key: str = Field(foreign_key="samples.key")


class ExperimentRow(SQLModel, table=True):
    """Runs made to be compared: the task, and where it came from."""

    __tablename__ = "experiments"

    id: str = Field(primary_key=True)
    name: str = Field(index=True)
    identity: str = Field(index=True)
    dataset: str = Field(foreign_key="datasets.fingerprint")
    task: dict[str, Any] = json_column(nullable=False)
    tags: dict[str, Any] = json_column(nullable=False)
    provenance: dict[str, Any] = json_column(nullable=False)
    created_at: datetime = time_column(nullable=False)
    owner: str | None = Field(default=None, index=True)
    """A user's id; an experiment may come from a store that has other users."""
    visibility: str = Field(
        default="private", sa_column_kwargs={"server_default": "private"}
    )


class BatchRow(SQLModel, table=True):
    """A notebook that is executed at many points, and who drives it."""

    __tablename__ = "batches"

    id: str = Field(primary_key=True)
    identity: str = Field(index=True)
    name: str
    notebook: str = text_column(nullable=False)
    created_at: datetime = time_column(nullable=False)
    lease: dict[str, Any] | None = json_column()
    lease_beat: float | None = None


class PointRow(SQLModel, table=True):
    """One point of a batch: a set of parameters, and how far its notebook came."""

    __tablename__ = "points"
    __table_args__ = (PrimaryKeyConstraint("batch_id", "key"),)

    batch_id: str = Field(foreign_key="batches.id")
    key: str
    name: str = text_column(nullable=False)
    position: int
    parameters: dict[str, Any] = json_column(nullable=False)
    varied: dict[str, Any] = json_column(nullable=False)
    source: str
    status: str
    reason: str | None = text_column()
    started_at: datetime | None = time_column()
    finished_at: datetime | None = time_column()


class RateRow(SQLModel, table=True):
    """When the next unit of a limit is due, in seconds of the database's clock."""

    __tablename__ = "rates"

    key: str = Field(primary_key=True)
    due: float


class RunRow(SQLModel, table=True):
    """One task on one model with one set of parameters, and who executes it."""

    __tablename__ = "runs"

    id: str = Field(primary_key=True)
    experiment_id: str = Field(foreign_key="experiments.id", index=True)
    position: int
    provider: str
    model: str = text_column(nullable=False)
    base_url: str | None = text_column()
    params: dict[str, Any] = json_column(nullable=False)
    config: dict[str, Any] = json_column(nullable=False)
    stream: bool = True
    price: dict[str, Any] | None = json_column()
    status: str
    reason: str | None = text_column()
    planned: int
    created_at: datetime = time_column(nullable=False)
    started_at: datetime | None = time_column()
    finished_at: datetime | None = time_column()
    lease: dict[str, Any] | None = json_column()
    lease_beat: float | None = None
    batch_id: str | None = Field(default=None, index=True)
    point: str | None = None
    origin: dict[str, Any] | None = json_column()
    stop_asked: bool | None = None
    """Whether whoever executes the run is asked to stop it."""


class ResultRow(SQLModel, table=True):
    """One sample, one epoch, in one run: the outcome that counts."""

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("run_id", "sample_id", "epoch"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="runs.id")
    sample_id: str = text_column(nullable=False)
    epoch: int
    output: str | None = text_column()
    reasoning: str | None = text_column()
    finish_reason: str | None = None
    error_type: str | None = None
    error: str | None = text_column()
    error_transient: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    response_model: str | None = text_column()
    system_fingerprint: str | None = text_column()
    request_id: str | None = text_column()
    raw: str | None = text_column()
    duration_s: float | None = None
    time_to_first_token_s: float | None = None
    inter_token_p50_s: float | None = None
    inter_token_p95_s: float | None = None
    queue_s: float | None = None
    retry_wait_s: float | None = None
    attempts: int
    cost_usd: str | None = None
    cached: bool = False
    flags: str = ""
    started_at: datetime = time_column(nullable=False)


class AttemptRow(SQLModel, table=True):
    """A try that was not kept, or an outcome that a later one replaced."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_sample", "run_id", "sample_id", "epoch"),)

    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="runs.id")
    sample_id: str = text_column(nullable=False)
    epoch: int
    number: int
    started_at: datetime = time_column(nullable=False)
    duration_s: float | None = None
    wait_s: float | None = None
    error_type: str | None = None
    error: str | None = text_column()
    status: int | None = None
    request_id: str | None = text_column()
    raw: str | None = text_column()
    wire: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class ScoreRow(SQLModel, table=True):
    """A scorer's verdict on a result, or the error it raised instead."""

    __tablename__ = "scores"
    __table_args__ = (PrimaryKeyConstraint("run_id", "sample_id", "epoch", "scorer"),)

    run_id: str = Field(foreign_key="runs.id")
    sample_id: str = text_column(nullable=False)
    epoch: int
    scorer: str
    value: float | None = None
    answer: str | None = text_column()
    explanation: str | None = text_column()
    error_type: str | None = None
    error: str | None = text_column()


def all_tables() -> list[Table]:
    """Every table of the store, in the order of their foreign keys."""
    ours = {
        row.__tablename__
        for row in (
            DatasetRow,
            SampleRow,
            DatasetSampleRow,
            ExperimentRow,
            BatchRow,
            PointRow,
            RateRow,
            RunRow,
            ResultRow,
            AttemptRow,
            ScoreRow,
            team.UserRow,
            team.SessionRow,
            team.TokenRow,
            team.SignInRow,
            team.CallRow,
        )
    }
    return [table for table in SQLModel.metadata.sorted_tables if table.name in ours]
