"""What is known of a run while it goes on: plain counters, read by any display."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter

from aistrale_lab.domain.runs import RunStatus, SampleResult

RECENT_ERRORS = 20


def _no_wait() -> float:
    return 0.0


@dataclass(slots=True)
class LaneProgress:
    """One run's counters. `done` counts stored rows, failed ones included."""

    run_id: str
    model: str
    params: str
    total: int
    skipped: int = 0
    done: int = 0
    failed: int = 0
    in_flight: int = 0
    attempts: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None
    status: RunStatus = RunStatus.PENDING
    reason: str | None = None
    over_budget: bool = False
    """Whether the budget, and nothing else, ended the lane."""
    rate_limited: Callable[[], float] = _no_wait
    """Seconds that the lane still waits because the provider said so."""
    began: float = field(default_factory=perf_counter)
    ended: float | None = None
    errors: Counter[str] = field(default_factory=Counter)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=RECENT_ERRORS))

    def add(self, found: SampleResult) -> None:
        """Count one stored result."""
        self.done += 1
        self.attempts += found.attempts
        if found.cost is not None:
            self.cost = (self.cost or Decimal(0)) + found.cost
        if found.completion is None:
            self.failed += 1
            self.errors[found.error_type or ""] += 1
            self.recent.append(f"{found.sample_id}: {found.error_type}: {found.error}")
        elif found.completion.usage.output_tokens is not None:
            self.output_tokens += found.completion.usage.output_tokens

    @property
    def complete(self) -> bool:
        """Whether every sample has its row."""
        return self.skipped + self.done >= self.total

    @property
    def elapsed(self) -> float:
        """Seconds since the lane began."""
        return (self.ended or perf_counter()) - self.began

    @property
    def tokens_per_s(self) -> float | None:
        """Output tokens of the lane per second of wall time."""
        return self.output_tokens / self.elapsed if self.output_tokens else None

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the mean pace so far; None before the first result."""
        if not self.done:
            return None
        return self.elapsed / self.done * (self.total - self.skipped - self.done)
