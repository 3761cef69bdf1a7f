"""Experiments as lines: what `push`, `pull` and the remote bench speak."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.told import StoredId, seen_experiment
from aistrale_lab.store.exchange import export_lines
from aistrale_lab.store.merging import Merged
from aistrale_lab.store.receiving import Merger

router = APIRouter(
    prefix="/api/v1/exchange", route_class=GuardedRoute, tags=["exchange"]
)

LINES = "application/x-ndjson"

MAX_BODY = 1024 * 1024 * 1024
LONGEST = 32 * 1024 * 1024
"""Bytes of an experiment that is sent, and of one of its lines."""


@router.get(
    "/experiments/{experiment_id}",
    responses={200: {"content": {LINES: {}}}, **describe_errors(404)},
    response_class=StreamingResponse,
)
@door(USER("read"))
def export(
    experiment_id: StoredId,
    request: Request,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> StreamingResponse:
    """An experiment as lines, as `aistrale_lab.store.exchange_lines` describes them."""
    record = seen_experiment(request, experiment_id)
    store = request.app.state.bench.store
    lines = export_lines(store, record.id, after=after, owned=False)
    return StreamingResponse(lines, media_type=LINES)


@router.post(
    "",
    responses=describe_errors(404, 413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {LINES: {"schema": {"type": "string", "minLength": 1}}},
        }
    },
)
@door(USER("write", max_body=MAX_BODY))
async def merge(request: Request) -> Merged:
    """Put an experiment in, which becomes the caller's; a second time nothing is."""
    sender = caller_of(request).viewer
    merger = Merger(request.app.state.bench.store, sender)
    async for lines in _portions(request):
        await asyncio.to_thread(merger.feed, lines)
    return await asyncio.to_thread(merger.finish)


async def _portions(request: Request) -> AsyncIterator[list[bytes]]:
    """The lines of a body, as many at a time as came."""
    rest = bytearray()
    async for chunk in request.stream():
        rest += chunk
        if b"\n" in chunk:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            yield whole
        if len(rest) > LONGEST:
            raise HTTPException(413, f"a line may have {LONGEST:,} bytes")
    if rest.strip():
        yield [bytes(rest)]
