"""What was heard of a call, moment by moment, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from time import perf_counter

from aistrale_lab.domain.chat import Chunk, Completion, FinishReason, Usage
from aistrale_lab.domain.runs import Attempt, Timing
from aistrale_lab.errors import ConnectionFailedError, RunnerError

Hear = Callable[[Chunk], None]
"""Takes a piece of an answer as it comes."""


@dataclass(slots=True)
class Heard:
    """What one attempt has heard so far; times are of `time.perf_counter`."""

    started: float
    last_at: float = 0.0
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    raw: str | None = None
    untimed: bool = False
    recorded: tuple[float | None, float | None] | None = None

    def add(self, chunk: Chunk) -> None:
        """Take in a chunk; this runs once per token, so the rare comes last."""
        now = self.last_at = perf_counter()
        if chunk.text or chunk.reasoning:
            self.moments.append(now)
            if chunk.text:
                self.texts.append(chunk.text)
            if chunk.reasoning:
                self.thoughts.append(chunk.reasoning)
        if chunk.sent_at is not None:
            self.started = chunk.sent_at
        if chunk.finish_reason is None and chunk.request_id is None:
            return
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.usage = chunk.usage or self.usage
        self.response_model = chunk.response_model or self.response_model
        self.system_fingerprint = chunk.system_fingerprint or self.system_fingerprint
        self.request_id = chunk.request_id or self.request_id
        self.raw = chunk.raw or self.raw
        self.flags += chunk.flags
        self.untimed = self.untimed or chunk.untimed
        if chunk.duration is not None:
            self.recorded = (chunk.duration, chunk.time_to_first_token)


@dataclass(slots=True)
class Outcome:
    """What became of one request: a completion or the last error."""

    started_at: datetime
    heard: Heard
    completion: Completion | None = None
    error: RunnerError | None = None
    failed: list[Attempt] = field(default_factory=list)
    cost: Decimal | None = None
    duration: float | None = None
    queue: float = 0.0
    retry_wait: float = 0.0
    lagged: bool = False

    @property
    def attempts(self) -> int:
        """How often the request was sent."""
        return len(self.failed) + (self.completion is not None)

    @property
    def unbilled(self) -> bool:
        """Whether the provider said no before it began, or was not reached at all."""
        error = self.error
        if error is None or self.heard.moments:
            return False
        if isinstance(error, ConnectionFailedError) and error.code == "unreachable":
            return True
        return error.status is not None and error.status >= 400

    def timing(self, *, streamed: bool) -> Timing:
        """The times of the last attempt; unknown ones of a replayed answer."""
        heard = self.heard
        if heard.recorded is not None:
            duration, first = heard.recorded
            return Timing(duration=duration, time_to_first_token=first)
        if heard.untimed:
            return Timing()
        first_token: float | None = None
        gaps: list[float] = []
        if streamed and heard.moments:
            first_token = heard.moments[0] - heard.started
            gaps = sorted(b - a for a, b in pairwise(heard.moments))
        return Timing(
            duration=self.duration,
            time_to_first_token=first_token,
            inter_token_p50=_percentile(gaps, 0.50),
            inter_token_p95=_percentile(gaps, 0.95),
            queue=self.queue,
            retry_wait=self.retry_wait,
        )


@dataclass(slots=True)
class Listener:
    """Listens in on a call: hears its pieces as they come, and how far it came.

    Who hears cannot unhear: an attempt that fails after its first token is not tried
    again then.
    """

    hear: Hear | None = None
    attempts: int = 0
    outcome: Outcome | None = None
    """Of the attempt that was begun last."""

    def begin(self, outcome: Outcome) -> None:
        """An attempt is sent."""
        self.attempts += 1
        self.outcome = outcome

    @property
    def committed(self) -> bool:
        """Whether somebody has heard the beginning of an answer."""
        heard = self.outcome is not None and bool(self.outcome.heard.moments)
        return heard and self.hear is not None


def _percentile(ordered: list[float], share: float) -> float | None:
    """Linear interpolation between the closest ranks, as numpy's default."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
