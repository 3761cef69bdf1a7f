"""Server-sent events: how an answer is told piece by piece."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


def event(content: Any, name: str | None = None) -> bytes:
    """One event, whose content is JSON."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(content, separators=(',', ':'))}\n\n".encode()


class EventStream(StreamingResponse):
    """An answer of events, which are made no more once the client has left."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers={"x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; clean up after them even if nobody listens."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
