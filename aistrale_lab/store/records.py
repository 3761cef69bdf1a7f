"""What the store says of experiments and runs: frozen values, not rows."""

import hashlib
import secrets
import time
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from aistrale_lab.domain import rich
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.values import Value

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that is mistaken for another."""

Visibility = Literal["private", "team"]
"""Who sees an experiment that has an owner: the owner alone, or everybody."""


def new_id() -> str:
    """A random id of 14 characters that sorts by the second it was made in.

    Seven characters of time last until the year 3058; seven random ones (35 bits)
    keep the ids of one second apart.
    """
    seconds = int(time.time())
    stamp = "".join(
        _ALPHABET[(seconds >> 5 * place) & 31] for place in range(6, -1, -1)
    )
    return stamp + "".join(secrets.choice(_ALPHABET) for _ in range(7))


def derived_id(*parts: str) -> str:
    """An id of the same form that is the same for the same parts, in every process."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    number = int.from_bytes(digest[:9], "big")  # 70 bits are 14 characters
    return "".join(_ALPHABET[(number >> 5 * place) & 31] for place in range(14))


class DatasetRecord(Value):
    """A prompt set as stored, without its samples: `samples` counts them."""

    fingerprint: str
    name: str
    samples: int
    source: dict[str, Any] | None


class ExperimentRecord(Value):
    """An experiment as stored. `task` holds the task without its samples."""

    id: str
    name: str
    identity: str
    dataset: str
    task: dict[str, Any]
    tags: dict[str, Any]
    provenance: dict[str, Any]
    created_at: datetime
    owner: str | None = None
    """The user who made it on a server; None: made on the store itself."""
    visibility: Visibility = "private"


class RunRecord(Value):
    """A run as stored, with what it counts: `planned` is samples x epochs."""

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
    price: dict[str, Any] | None = None
    status: RunStatus
    reason: str | None
    planned: int
    completed: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    batch_id: str | None = None
    point: str | None = None
    origin: dict[str, Any] | None = None
    """The notebook cell that started it: path, cell, count, order, parameters."""

    @property
    def model(self) -> str:
        """The full `provider/model`."""
        return f"{self.provider}/{self.model_name}"

    def _repr_html_(self) -> str:
        """Whom it asked, and how far it came; all text escaped."""
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        known = [
            ("run", self.id),
            ("experiment", f"{self.experiment_id} {self.name}"),
            ("parameters", params or None),
            ("status", f"{self.status}: {self.reason}" if self.reason else self.status),
            ("completed", f"{self.completed:,} of {self.planned:,}"),
            ("failed", f"{self.failed:,}"),
            ("base URL", self.base_url),
            ("created at, UTC", f"{self.created_at:%Y-%m-%d %H:%M}"),
        ]
        facts = [(name, value) for name, value in known if value is not None]
        return rich.facts(f"Run {self.model}", facts)


class PointStatus(StrEnum):
    """How far the notebook of a point came, as the store tells it."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class BatchRecord(Value):
    """A batch as stored: a notebook, executed at many points."""

    id: str
    identity: str
    name: str
    notebook: str
    created_at: datetime


class PointRecord(Value):
    """A point as stored; `varied` are the parameters that tell points apart."""

    batch_id: str
    key: str
    """The same for the same parameters; what runs of the point are marked with."""
    name: str
    position: int
    parameters: dict[str, Any]
    varied: dict[str, Any]
    source: str
    """A fingerprint of the notebook and its parameters, as they were executed."""
    status: PointStatus = PointStatus.PENDING
    reason: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
