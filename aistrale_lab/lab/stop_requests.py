"""A run is stopped from elsewhere: the store holds the request, its process looks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aistrale_lab.errors import StoreError
from aistrale_lab.store.results import Store

LOOK = 1.0
"""Seconds between two looks for a request."""


@asynccontextmanager
async def stopped_on_request(
    store: Store, run_ids: Sequence[str]
) -> AsyncIterator[None]:
    """Cancel the block, as the first Ctrl-C does, once its runs are asked to stop."""
    task = asyncio.current_task()
    assert task is not None
    over = asyncio.Event()
    heeding = asyncio.create_task(_heed(store, run_ids, over, task.cancel))
    try:
        yield
    finally:
        over.set()
        await heeding


async def _heed(
    store: Store,
    run_ids: Sequence[str],
    over: asyncio.Event,
    stop: Callable[[], object],
) -> None:
    """Look until a request comes or the runs are over; no look outlives them."""
    while not await _within(over, LOOK):
        with contextlib.suppress(StoreError):  # the next write says it
            if await asyncio.to_thread(store.is_asked_to_stop, run_ids):
                break
    if not over.is_set():
        stop()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
