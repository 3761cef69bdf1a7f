"""What was found: scores, sample results and the states of a run."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import Field

from aistrale_lab.domain.chat import Completion, GenerateConfig
from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.domain.values import Value


class RunStatus(StrEnum):
    """The states of a run.

    completed: every sample has a row, failed ones included; interrupted: by a
    signal, the budget or parking; failed: the lane died, or nothing succeeded.
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Score(Value):
    """A scorer's verdict on one result. `value` is between 0 and 1 unless it says."""

    value: float
    answer: str | None = None
    explanation: str | None = None


class SampleScore(Value):
    """A named score of one sample, or the error of the scorer that raised."""

    sample_id: str
    epoch: int
    scorer: str
    score: Score | None = None
    error_type: str | None = None
    error: str | None = None


class Attempt(Value):
    """One try of a call that was not kept. Times are seconds."""

    number: int
    started_at: datetime
    duration: float
    error_type: str
    error: str
    status: int | None = None
    request_id: str | None = None
    wait: float = 0.0
    """How long we then waited before the next try."""
    raw: str | None = None
    wire: bytes | None = None


class Timing(Value):
    """Times of the attempt that was kept, in seconds on the monotonic clock.

    `queue` (before the first attempt) and `retry_wait` (between attempts) are
    never inside `duration`. None: not measured, as for a replayed answer.
    """

    duration: float | None = None
    time_to_first_token: float | None = None
    inter_token_p50: float | None = None
    inter_token_p95: float | None = None
    queue: float | None = None
    retry_wait: float = 0.0


class SampleResult(Value):
    """One sample, one epoch, in one run: completion or error, always kept."""

    run_id: str
    sample_id: str
    epoch: int = 1
    completion: Completion | None = None
    error_type: str | None = None
    error: str | None = None
    error_transient: bool = False
    timing: Timing = Timing()
    attempts: int = 1
    failed_attempts: tuple[Attempt, ...] = ()
    cost: Decimal | None = None
    cached: bool = False
    flags: tuple[str, ...] = ()
    started_at: datetime

    @property
    def failed(self) -> bool:
        """Whether there is an error instead of a completion."""
        return self.completion is None


class RunSpec(Value):
    """One run as planned: one task on one model with one set of parameters.

    `price` is what its calls were counted at, in USD per million tokens, with its source.
    """

    run_id: str
    experiment_id: str
    model: ModelRef
    config: GenerateConfig
    params: dict[str, Any] = Field(default_factory=dict)
    base_url: str | None = None
    stream: bool = True
    price: dict[str, Any] | None = None
