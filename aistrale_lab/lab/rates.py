"""The limits of a key and endpoint, shared by every process over one store."""

import asyncio
import hashlib

from sqlalchemy import Connection

from aistrale_lab.engine.pace import Pace
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.store import rates
from aistrale_lab.store.recorder import Recorder


class SharedRate:
    """Calls and tokens a minute of one endpoint, key and model."""

    def __init__(
        self, recorder: Recorder, where: str, *, rpm: int | None, tpm: int | None
    ) -> None:
        self._recorder = recorder
        self._calls = (f"{where}:calls", rpm) if rpm else None
        self._tokens = (f"{where}:tokens", tpm) if tpm else None

    async def reserve(self, tokens: int) -> float:
        """Take one call and its tokens; returns the seconds until it may be sent."""

        def take(connection: Connection) -> float:
            waits = [
                rates.take(connection, limit[0], units=units, per_minute=limit[1])
                for limit, units in ((self._calls, 1), (self._tokens, tokens))
                if limit is not None
            ]
            return max(waits, default=0.0)

        return await asyncio.wrap_future(self._recorder.call(take))

    def settle(self, tokens: int) -> None:
        """Take more tokens than were reserved, or give some back if negative."""
        if self._tokens is not None and tokens:
            key, per_minute = self._tokens
            self._recorder.call(
                lambda c: rates.take(c, key, units=tokens, per_minute=per_minute)
            )


def make_pace(
    endpoint: Endpoint, model: str, options: RunOptions, recorder: Recorder
) -> Pace:
    """A lane's brakes; its limits are those of all processes over the store."""
    rpm = options.rpm or endpoint.rpm
    tpm = options.tpm or endpoint.tpm
    limited = rpm is not None or tpm is not None
    where = where_of(endpoint, model)
    return Pace(
        concurrency=options.concurrency,
        longest_wait=options.longest_wait,
        backoff=options.backoff,
        shared=SharedRate(recorder, where, rpm=rpm, tpm=tpm) if limited else None,
    )


def where_of(endpoint: Endpoint, model: str) -> str:
    """A name for endpoint, key and model, from which no key can be read."""
    key = endpoint.key.get_secret_value() if endpoint.key else ""
    told = "\0".join((endpoint.provider, endpoint.base_url or "", key, model))
    return hashlib.sha256(told.encode()).hexdigest()[:32]
