"""One-off calls: a request to a model, outside any run, from any number of callers."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import pydantic

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, GenerateConfig, Message
from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.domain.values import Value
from aistrale_lab.engine.crossing import Crossing
from aistrale_lab.engine.outcome import Hear
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.options import faults_of

Keep = Callable[[Answer], Awaitable[None]]
"""Takes what became of a call, and returns once it is safe; on the engine's loop."""

Said = str | Sequence[Message | Mapping[str, Any]]
"""A question, or a conversation."""


LEFT_MESSAGE = "the caller left before the answer was complete"


class Asked(Value):
    """One request, checked, and the id that its call is recorded under."""

    id: str
    model: ModelRef
    messages: tuple[Message, ...]
    config: GenerateConfig


def check_asked(
    model: str,
    said: Said,
    config: GenerateConfig | Mapping[str, Any] | None = None,
    *,
    id: str | None = None,
) -> Asked:
    """The request in our words; raises ValidationError, naming every fault."""
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else said
    if not turns:
        raise ValidationError("there is no message to answer")
    try:
        return Asked(
            id=id or new_call_id(),
            model=ModelRef.parse(model),
            messages=tuple(Message.model_validate(turn) for turn in turns),
            config=GenerateConfig.model_validate(config or {}),
        )
    except pydantic.ValidationError as error:
        raise ValidationError(faults_of(error)) from None


def new_call_id() -> str:
    """A random id that sorts by the millisecond: many calls are made in a second.

    One look at the system's random numbers: each lets another thread go first.
    """
    return f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(10)}"


class Answering(Protocol):
    """Has calls made and answered; belongs to the engine's loop."""

    async def answer(
        self, asked: Asked, keep: Keep | None, *, hear: Hear | None
    ) -> Answer:
        """The whole answer, kept before it is returned; raises LabError.

        With `hear` it is streamed, and each piece told as it comes. Whatever became of
        the call is kept, also of one that failed or was cancelled.
        """

    async def close(self) -> None:
        """Close every connection."""


class Asking:
    """Asks models on the engine's loop, for callers on loops of their own."""

    def __init__(self, engine: EngineThread, answering: Answering) -> None:
        self._engine = engine
        self._crossing = Crossing(engine)
        self._answering = answering
        self._used = False

    async def ask(self, asked: Asked, keep: Keep | None = None) -> Answer:
        """The whole answer, kept before it is returned; raises RunnerError."""
        self._used = True
        return await self._crossing.run(
            lambda _: self._answering.answer(asked, keep, hear=None)
        )

    async def stream(
        self, asked: Asked, keep: Keep | None = None
    ) -> AsyncGenerator[Chunk | Answer, None]:
        """The pieces as they come, and the answer, kept, as the last item.

        Raises RunnerError. Closing the generator, or cancelling, cancels the call.
        """
        self._used = True
        pieces: asyncio.Queue[Chunk | None] = asyncio.Queue()
        call = asyncio.create_task(
            self._crossing.run(
                lambda say: self._answering.answer(asked, keep, hear=_only_words(say)),
                pieces.put_nowait,
            )
        )

        def ended(call: "asyncio.Task[Answer]") -> None:
            pieces.put_nowait(None)
            if not call.cancelled():
                call.exception()  # seen, should nobody wait any more

        call.add_done_callback(ended)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await call
        finally:
            call.cancel()

    def close(self) -> None:
        """Cancel what is in flight, keep it as such, and close every connection."""
        if self._used:
            self._engine.wait(self._close())

    async def _close(self) -> None:
        await self._crossing.close()
        await self._answering.close()


def _only_words(say: Hear) -> Hear:
    def hear(chunk: Chunk) -> None:
        if chunk.text or chunk.reasoning:
            say(chunk)

    return hear
