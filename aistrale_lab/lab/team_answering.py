"""One-off calls that a team's server makes: under its limits, and recorded there."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, Usage
from aistrale_lab.domain.runs import Timing
from aistrale_lab.engine.outcome import Hear
from aistrale_lab.errors import LabError, StoreError
from aistrale_lab.lab.asking import LEFT_MESSAGE, Asked, Keep
from aistrale_lab.lab.team import AsyncTeam, Team


class TeamAnswering:
    """Has the server call providers; belongs to the engine's loop."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._open: AsyncTeam | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._open is not None:
            await self._open.aclose()

    async def answer(
        self, asked: Asked, keep: Keep | None, *, hear: Hear | None
    ) -> Answer:
        """The whole answer, kept before it is returned; raises LabError.

        What the server has recorded of a call that was cancelled here, it knows alone.
        """
        started_at = datetime.now(UTC)
        try:
            told = await self._told(asked, hear)
        except (LabError, asyncio.CancelledError) as error:
            if keep is not None:
                await keep(_failed(asked, started_at, error))
            raise
        answer = _answer_of(asked, started_at, told)
        if keep is not None:
            await keep(answer)
        return answer

    async def _told(self, asked: Asked, hear: Hear | None) -> Mapping[str, Any]:
        if self._open is None:
            self._open = self._team.open_async()
        body: dict[str, Any] = {
            "model": str(asked.model),
            "messages": [
                message.model_dump(mode="json", exclude_none=True)
                for message in asked.messages
            ],
            "config": asked.config.model_dump(mode="json", exclude_unset=True),
        }
        if hear is None:
            whole: Mapping[str, Any] = await self._open.post("inference", body)
            return whole
        body["stream"] = True
        async for name, told in self._open.events("POST", "inference", body):
            if name == "answer":
                return dict(told)
            if name == "error":
                raise self._team.error_of(told)
            hear(Chunk(**told))
        raise StoreError(f"{self._team.url} broke off before the answer was whole")


def _answer_of(asked: Asked, started_at: datetime, told: Mapping[str, Any]) -> Answer:
    """The answer in our words; its id is that of the server's record."""
    tokens, cost = told["tokens"], told["cost_usd"]
    return Answer(
        id=told["id"],
        model=asked.model,
        messages=asked.messages,
        config=asked.config,
        text=told["output"],
        reasoning=told["reasoning"] or "",
        finish_reason=told["finish_reason"],
        usage=Usage(**{f"{kind}_tokens": count for kind, count in tokens.items()}),
        response_model=told["response_model"],
        timing=Timing(
            duration=told["duration_s"],
            time_to_first_token=told["time_to_first_token_s"],
            queue=told["queue_s"],
            retry_wait=told["retry_wait_s"] or 0.0,
        ),
        attempts=told["attempts"],
        cost=None if cost is None else Decimal(cost),
        started_at=started_at,
    )


def _failed(asked: Asked, started_at: datetime, error: BaseException) -> Answer:
    return Answer(
        id=asked.id,
        model=asked.model,
        messages=asked.messages,
        config=asked.config,
        error_type=type(error).__name__,
        error=error.message if isinstance(error, LabError) else LEFT_MESSAGE,
        started_at=started_at,
    )
