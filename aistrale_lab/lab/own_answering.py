"""One-off calls that are made from here, on lanes that all callers share."""

import asyncio
from decimal import Decimal

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Request, Usage
from aistrale_lab.engine.generate import generate
from aistrale_lab.engine.observing import Observer
from aistrale_lab.engine.outcome import Hear, Listener, Outcome
from aistrale_lab.engine.pace import Parked
from aistrale_lab.errors import RunnerError
from aistrale_lab.lab.asking import LEFT_MESSAGE, Asked, Keep
from aistrale_lab.lab.lanes import Lanes, Place
from aistrale_lab.store.recorder import Recorder

LEFT = "CancelledError"


class OwnAnswering:
    """Calls providers; belongs to the engine's loop."""

    def __init__(
        self, place: Place, recorder: Recorder, observer: Observer | None
    ) -> None:
        self._lanes = Lanes(place, recorder, observer)

    async def close(self) -> None:
        """Close every connection."""
        await self._lanes.close()

    async def answer(
        self, asked: Asked, keep: Keep | None, *, hear: Hear | None
    ) -> Answer:
        """The whole answer, kept before it is returned; raises RunnerError."""
        lane = await self._lanes.get(asked.model)
        request = Request.model_construct(
            model=asked.model.model,
            messages=asked.messages,
            config=asked.config,
            stream=hear is not None,
        )
        listener = Listener(hear)
        try:
            outcome = await generate(lane, request, listener)
        except Parked:
            assert listener.outcome is not None  # an answer asked us to wait
            outcome = listener.outcome
        except asyncio.CancelledError:
            if keep is not None and listener.outcome is not None:
                await keep(_answer_of(asked, request, listener, listener.outcome))
            raise
        answer = _answer_of(asked, request, listener, outcome)
        if keep is not None:
            await keep(answer)
        if outcome.error is not None:
            outcome.error.provider = asked.model.provider
            raise outcome.error
        return answer


def _answer_of(
    asked: Asked, request: Request, listener: Listener, outcome: Outcome
) -> Answer:
    heard, error = outcome.heard, outcome.error
    error_type, told = _what_failed(outcome, error)
    return Answer.model_construct(
        id=asked.id,
        model=asked.model,
        messages=asked.messages,
        config=asked.config,
        text="".join(heard.texts),
        reasoning="".join(heard.thoughts),
        finish_reason=outcome.completion.finish_reason if outcome.completion else None,
        usage=heard.usage or Usage(),
        response_model=heard.response_model,
        request_id=(error.request_id if error else None) or heard.request_id,
        raw=heard.raw,
        error_type=error_type,
        error=told,
        timing=outcome.timing(streamed=request.stream),
        attempts=listener.attempts,
        cost=Decimal(0) if outcome.unbilled else outcome.cost,
        started_at=outcome.started_at,
    )


def _what_failed(
    outcome: Outcome, error: RunnerError | None
) -> tuple[str | None, str | None]:
    if error is not None:
        return type(error).__name__, error.message
    if outcome.completion is None:
        return LEFT, LEFT_MESSAGE
    return None, None
