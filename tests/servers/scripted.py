"""A runner whose answers are written down, and lanes that use it."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

from aistrale_lab.domain.chat import Chunk, FinishReason, Message, Request, Usage
from aistrale_lab.engine.generate import Lane, Policy
from aistrale_lab.engine.pace import Pace
from aistrale_lab.engine.watch import LagWatch, Turnstile

Step = Chunk | Exception | float
"""What a scripted answer does next: say, fail, or wait so many seconds."""

QUESTION = Request(model="m", messages=(Message(role="user", content="2+2?"),))
END = Chunk(
    finish_reason=FinishReason.STOP,
    usage=Usage(input_tokens=10, output_tokens=2),
    raw="{}",
)


class ScriptedRunner:
    """A runner whose answers are written down; the last one repeats."""

    def __init__(self, *answers: list[Step]) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.closed = 0

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        steps = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        try:
            for step in steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed += 1


def make_lane(runner: ScriptedRunner, **policy: float) -> Lane:
    settings = {"backoff": 0.001, "longest_wait": 1.0, **policy}
    return Lane(
        runner=runner,
        pace=Pace(concurrency=4, backoff=0.001, longest_wait=1.0),
        policy=Policy.model_validate(settings),
        lag=LagWatch(),
        turnstile=Turnstile(),
        price=lambda usage: Decimal("0.01"),
    )
