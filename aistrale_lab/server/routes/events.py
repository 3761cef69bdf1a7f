"""How far an experiment is, told as it goes on by server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from fastapi import APIRouter, Request

from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.lanes import lane_object
from aistrale_lab.server.sse import EventStream, event
from aistrale_lab.server.told import StoredId, seen_experiment

router = APIRouter(
    prefix="/api/v1/experiments", route_class=GuardedRoute, tags=["experiments"]
)

LOOK = 0.2
"""Seconds between two looks at the lanes."""

HEARTBEAT = 15.0
"""Seconds without news after which a comment says that the connection lives."""


@router.get("/{experiment_id}/events", responses=describe_errors(404))
@door(USER("read"))
async def events(experiment_id: StoredId, request: Request) -> EventStream:
    """`lanes` whenever something changed, and `end` when the run has ended.

    A comment now and then keeps the connection alive. Whoever leaves disturbs nothing.
    """
    await asyncio.to_thread(seen_experiment, request, experiment_id)
    handle = await asyncio.to_thread(request.app.state.bench.attach, experiment_id)
    return EventStream(_events(handle))


async def _events(handle: RunHandle[Experiment]) -> AsyncGenerator[bytes, None]:
    told, silent = None, 0.0
    while not handle.done():
        now = [lane_object(lane) for lane in handle.lanes]
        if now != told:
            yield event(now, "lanes")
            told, silent = now, 0.0
        elif silent >= HEARTBEAT:
            yield b": still here\n\n"
            silent = 0.0
        await asyncio.sleep(LOOK)
        silent += LOOK
    yield event([lane_object(lane) for lane in handle.lanes], "lanes")
    yield event({"failure": _failure(handle)}, "end")


def _failure(handle: RunHandle[Experiment]) -> str | None:
    failure = handle.failure()
    return type(failure).__name__ if failure is not None else None
