"""The limits of a key and endpoint, shared by every process over one store."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from aistrale_lab.engine.pace import Pace
from aistrale_lab.lab.options import Quota, RunOptions
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.store import rates
from aistrale_lab.store.recorder import Recorder


class SharedRate:
    """Limits that a call draws on all at once, each known to every process by its name."""

    def __init__(self, recorder: Recorder, quotas: Iterable[Quota]) -> None:
        known = list(quotas)
        self._recorder = recorder
        self._calls = [(f"{one.name}:calls", one.rpm) for one in known if one.rpm]
        self._tokens = [(f"{one.name}:tokens", one.tpm) for one in known if one.tpm]

    async def reserve(self, tokens: int) -> float:
        """Take one call and its tokens; returns the seconds until it may be sent."""
        drawn = self._recorder.call(lambda to: self._take(to, tokens, calls=1))
        return await asyncio.wrap_future(drawn)

    def settle(self, tokens: int, *, calls: int = 0) -> None:
        """Take more than was reserved, or give some back if negative."""
        if (tokens and self._tokens) or (calls and self._calls):
            self._recorder.call(lambda to: self._take(to, tokens, calls=calls))

    def _take(self, connection: Connection, tokens: int, *, calls: int) -> float:
        drawn = [(limit, calls) for limit in self._calls]
        drawn += [(limit, tokens) for limit in self._tokens]
        waits = [
            rates.take(connection, key, units=units, per_minute=per_minute)
            for (key, per_minute), units in drawn
            if units
        ]
        return max(waits, default=0.0)


def make_pace(
    endpoint: Endpoint, model: str, options: RunOptions, recorder: Recorder
) -> Pace:
    """A lane's brakes; its limits are those of all processes over the store."""
    quotas = list(_quotas(where_of(endpoint, model), endpoint, options))
    return Pace(
        concurrency=options.concurrency,
        longest_wait=options.longest_wait,
        backoff=options.backoff,
        shared=SharedRate(recorder, quotas) if quotas else None,
    )


def _quotas(where: str, endpoint: Endpoint, options: RunOptions) -> Iterator[Quota]:
    """The endpoint's own limits, what the run may take of it, and the run's quota.

    What a run may take is shared by those that say the same within one quota: who goes
    slowly by choice slows no others.
    """
    quota = options.quota or Quota(name="all")
    yield from _limited(where, endpoint.rpm, endpoint.tpm)
    yield from _limited(f"{where}:{quota.name}:{options.rpm}", options.rpm, None)
    yield from _limited(f"{where}:{quota.name}:{options.tpm}", None, options.tpm)
    yield from _limited(quota.name, quota.rpm, quota.tpm)


def _limited(name: str, rpm: int | None, tpm: int | None) -> Iterator[Quota]:
    if rpm or tpm:
        yield Quota(name=name, rpm=rpm, tpm=tpm)


def where_of(endpoint: Endpoint, model: str) -> str:
    """A name for endpoint, key and model, from which no key can be read."""
    key = endpoint.key.get_secret_value() if endpoint.key else ""
    told = "\0".join((endpoint.provider, endpoint.base_url or "", key, model))
    return hashlib.sha256(told.encode()).hexdigest()[:32]
