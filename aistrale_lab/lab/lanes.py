"""The lanes of one-off calls: one an endpoint and model, made on first use, kept."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.engine.generate import Lane
from aistrale_lab.engine.observing import Observer
from aistrale_lab.engine.watch import LagWatch, Turnstile
from aistrale_lab.lab.limits import affordable_concurrency
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import bound_function, price_function
from aistrale_lab.lab.rates import make_pace
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint, Runner
from aistrale_lab.runners.registry import make_runner
from aistrale_lab.store.recorder import Recorder

Place = Callable[[ModelRef, RunOptions], tuple[Endpoint, Price | None]]
"""Finds where a model's calls go, and what they cost."""

CONCURRENCY = 256
"""Calls of one model that may be in flight at once."""

RETRIES, LONGEST_WAIT = 3, 20.0
"""Somebody waits for the answer: less patience than a run has."""

MOST = 1_000
"""Lanes that are kept; beyond that, those without a call in flight are dropped."""


class Lanes:
    """Belongs to the engine's loop. Models of one endpoint share its connections."""

    def __init__(
        self, place: Place, recorder: Recorder, observer: Observer | None
    ) -> None:
        self._place = place
        self._observer = observer
        self._recorder = recorder
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._runners: dict[str, Runner] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._turnstile = Turnstile()
        self._close = AsyncExitStack()

    async def get(self, ref: ModelRef) -> Lane:
        """The lane of a model; raises ConfigError, or RunnerError if it won't open."""
        key = (ref.provider, ref.model)
        if key not in self._lanes:
            async with self._opening.setdefault(ref.provider, asyncio.Lock()):
                if key not in self._lanes:
                    lane = await self._make(ref)
                    self._make_room()
                    self._lanes[key] = lane
        return self._lanes[key]

    async def close(self) -> None:
        """Close every connection."""
        await self._close.aclose()

    async def _make(self, ref: ModelRef) -> Lane:
        most = affordable_concurrency(CONCURRENCY, lanes=2)
        options = RunOptions(
            concurrency=most, retries=RETRIES, longest_wait=LONGEST_WAIT
        )
        endpoint, price = await asyncio.to_thread(self._place, ref, options)
        return Lane(
            runner=await self._runner(endpoint, ref),
            pace=make_pace(endpoint, ref.model, options, self._recorder),
            policy=options.policy,
            lag=LagWatch(),
            turnstile=self._turnstile,
            price=price_function(price),
            bound=bound_function(price),
            observer=self._observer.lane(endpoint) if self._observer else None,
        )

    async def _runner(self, endpoint: Endpoint, ref: ModelRef) -> Runner:
        where = str(ref) if endpoint.kind == "replay" else endpoint.provider
        runner = self._runners.get(where)
        if runner is None:
            runner = make_runner(endpoint)
            await runner.open()
            self._close.push_async_callback(runner.close)
            self._runners[where] = runner
        return runner

    def _make_room(self) -> None:
        if len(self._lanes) >= MOST:
            busy = {k: one for k, one in self._lanes.items() if one.pace.in_flight}
            self._lanes = busy
