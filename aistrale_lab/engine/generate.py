"""One sample's answer: the only retry loop, and honest times.

`duration` and `time_to_first_token` are those of the attempt that was kept. What
passed before the first attempt is `queue`, what passed between attempts is
`retry_wait`; neither is inside `duration`.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter

from pydantic import Field

from aistrale_lab.domain.chat import Completion, Request, Usage
from aistrale_lab.domain.runs import Attempt
from aistrale_lab.domain.values import Value
from aistrale_lab.engine.budget import Budget
from aistrale_lab.engine.observing import LaneObserver, ObservedCall
from aistrale_lab.engine.outcome import Hear, Heard, Listener, Outcome
from aistrale_lab.engine.pace import LaneEnded, Pace
from aistrale_lab.engine.watch import Deadline, LagWatch, Turnstile
from aistrale_lab.errors import (
    DeadlineError,
    LabError,
    RateLimitError,
    RunnerError,
    TruncatedAnswerError,
)
from aistrale_lab.runners.base import Runner

PriceOf = Callable[[Usage], Decimal | None]
"""What a call cost, or None if that cannot be known."""

BoundOf = Callable[[Request], Decimal]
"""What a call can cost at most."""


class Policy(Value):
    """How patient a call is; all times are seconds.

    `retries` counts tries after the first; a call that met a rate limit may be
    tried four times as often, since the lane slows down meanwhile. `stall` is the
    deadline between two tokens. A wait asked for beyond `longest_wait` parks the
    lane.
    """

    timeout: float = Field(default=600.0, gt=0)
    stall: float = Field(default=120.0, gt=0)
    retries: int = Field(default=5, ge=0)
    backoff: float = Field(default=0.5, ge=0)
    longest_backoff: float = Field(default=30.0, ge=0)
    longest_wait: float = Field(default=120.0, ge=0)

    def tries_left(self, error: RunnerError, failed: list[Attempt]) -> bool:
        """Whether a call that just failed may be tried again."""
        if not error.transient or error.stops_lane:
            return False
        limited = sum(a.error_type == RateLimitError.__name__ for a in failed)
        if isinstance(error, RateLimitError):
            return limited < 4 * self.retries
        return len(failed) - limited < self.retries

    def wait_before(self, tries: int, asked: float | None) -> float:
        """Exponential backoff with jitter, not less than asked for (up to a cap)."""
        ceiling = min(self.longest_backoff, self.backoff * 2.0**tries)
        jittered = random.uniform(ceiling / 2, ceiling)
        return max(min(asked or 0.0, self.longest_wait), jittered)


@dataclass(slots=True)
class Lane:
    """What the calls of one model share."""

    runner: Runner
    pace: Pace
    policy: Policy
    lag: LagWatch
    turnstile: Turnstile
    price: PriceOf
    bound: BoundOf | None = None
    budget: Budget | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no more is to be sent: waiting calls give up their turn."""
    observer: LaneObserver | None = None


async def generate(
    lane: Lane, request: Request, listener: Listener | None = None
) -> Outcome:
    """Ask until there is an answer, a permanent error, or no try left.

    Raises Parked, BudgetError and LaneEnded, which leave the sample unsent; every
    RunnerError becomes the outcome's `error`.
    """
    asked = _Asked(lane, request, listener or Listener(), tokens=_estimate(request))
    try:
        return await _until_answered(asked)
    finally:
        asked.ended()


async def _until_answered(asked: "_Asked") -> Outcome:
    lane, failed = asked.lane, asked.failed
    while True:
        outcome = await asked.attempt(await asked.turn())
        error = outcome.error
        if error is None:
            return outcome
        failed.append(_failed_attempt(outcome, error, number=len(failed) + 1))
        if asked.listener.committed or not lane.policy.tries_left(error, failed[:-1]):
            return outcome
        pause = await _pause(lane, error, tries=len(failed) - 1)
        failed[-1] = failed[-1].model_copy(update={"wait": pause})
        asked.retry_wait += pause


class _Asked:
    """A request on its lane: taking its turn, and being sent once."""

    def __init__(
        self, lane: Lane, request: Request, listener: Listener, *, tokens: int
    ) -> None:
        self.lane = lane
        self.failed: list[Attempt] = []
        self.queue = 0.0
        self.retry_wait = 0.0
        self.listener = listener
        self._request = request
        self._tokens = tokens
        self._observed: ObservedCall | None = None

    def ended(self) -> None:
        """No more will be sent."""
        if self._observed is not None and self.listener.outcome is not None:
            self._observed.end(self.listener.outcome)

    async def turn(self) -> Decimal:
        """Wait for money and for a place; returns what was reserved."""
        ready = perf_counter()
        reserved = await self._admitted()
        wait = perf_counter() - ready
        if self.failed:
            self.retry_wait += wait
        else:
            self.queue = wait
        return reserved

    async def _admitted(self) -> Decimal:
        lane = self.lane
        reserved = Decimal(0)
        if lane.budget and lane.bound:
            reserved = lane.bound(self._request)
            await lane.budget.reserve(reserved)
        try:
            await lane.pace.acquire(self._tokens, lane.over)
        except BaseException:
            self._settle(reserved, Decimal(0))
            raise
        try:
            await lane.turnstile.pass_through()
        except BaseException:
            lane.pace.release()
            self._settle(reserved, Decimal(0))
            raise
        return reserved

    async def attempt(self, reserved: Decimal) -> Outcome:
        """Send the request once, and account for it however it ends."""
        lane = self.lane
        if lane.observer is not None and self._observed is None:
            self._observed = lane.observer.begin(self._request)
        heard = Heard(started=perf_counter())
        outcome = self._begin(heard)
        cost: Decimal | None = None
        try:
            await _listen(lane, self._request, heard, self.listener.hear)
            outcome.completion = _completion(heard)
            outcome.cost = cost = lane.price(outcome.completion.usage)
            lane.pace.succeeded()
        except RunnerError as error:
            outcome.error = error
            cost = Decimal(0) if outcome.unbilled else None
            if isinstance(error, RateLimitError) and error.transient:
                lane.pace.refused(error.retry_after)
        finally:
            outcome.duration = perf_counter() - heard.started
            lane.pace.release(charged=self._tokens, used=_used(heard.usage))
            self._settle(reserved, cost)
        outcome.lagged = lane.lag.lagged_since(heard.started)
        return outcome

    def _begin(self, heard: Heard) -> Outcome:
        outcome = Outcome(
            started_at=datetime.now(UTC),
            heard=heard,
            failed=self.failed,
            queue=self.queue,
            retry_wait=self.retry_wait,
        )
        self.listener.begin(outcome)
        return outcome

    def _settle(self, reserved: Decimal, cost: Decimal | None) -> None:
        if self.lane.budget:
            self.lane.budget.settle(reserved, cost)


async def _listen(
    lane: Lane, request: Request, heard: Heard, hear: Hear | None
) -> None:
    policy = lane.policy
    try:
        async with Deadline(total=policy.timeout, stall=policy.stall) as deadline:
            await _hear_all(lane, request, heard, deadline, hear)
    except TimeoutError:
        raise DeadlineError(deadline.reason, request_id=heard.request_id) from None
    except LabError:
        raise
    except Exception as error:  # the border to a third-party runner
        what = f"the runner raised {type(error).__name__}: {error}"
        raise RunnerError(what, request_id=heard.request_id) from error
    if heard.finish_reason is None:
        raise TruncatedAnswerError(
            "the answer ended without a finish reason", request_id=heard.request_id
        )


async def _hear_all(
    lane: Lane, request: Request, heard: Heard, deadline: Deadline, hear: Hear | None
) -> None:
    chunks = lane.runner.stream(request)
    try:
        async for chunk in chunks:
            heard.add(chunk)
            if hear is not None:
                hear(chunk)
            if heard.moments:
                deadline.alive_at = heard.last_at
            if chunk.limits is not None:
                lane.pace.learn(chunk.limits)
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _completion(heard: Heard) -> Completion:
    assert heard.finish_reason is not None  # _listen saw to it
    return Completion(
        text="".join(heard.texts),
        finish_reason=heard.finish_reason,
        usage=heard.usage or Usage(),
        reasoning="".join(heard.thoughts),
        response_model=heard.response_model,
        system_fingerprint=heard.system_fingerprint,
        request_id=heard.request_id,
        raw=heard.raw,
        flags=heard.flags,
    )


def _failed_attempt(outcome: Outcome, error: RunnerError, *, number: int) -> Attempt:
    return Attempt(
        number=number,
        started_at=outcome.started_at,
        duration=outcome.duration or 0.0,
        error_type=type(error).__name__,
        error=error.message,
        status=error.status,
        request_id=error.request_id or outcome.heard.request_id,
        raw=error.raw,
        wire=error.wire,
    )


async def _pause(lane: Lane, error: RunnerError, *, tries: int) -> float:
    """Wait before the next try; a rate limit's wait is the lane's affair."""
    if isinstance(error, RateLimitError):
        return 0.0
    began = perf_counter()
    try:
        async with asyncio.timeout(lane.policy.wait_before(tries, error.retry_after)):
            await lane.over.wait()
    except TimeoutError:
        return perf_counter() - began
    raise LaneEnded


def _used(usage: Usage | None) -> int | None:
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


def _estimate(request: Request) -> int:
    """Tokens to charge in advance: four characters make about one."""
    size = sum(len(m.content or "") + len(m.besides) for m in request.messages)
    return size // 4 + (request.config.max_tokens or 0)
