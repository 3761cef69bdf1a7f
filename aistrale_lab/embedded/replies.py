"""How answers and errors leave the server: compact JSON, event streams, request ids."""

import json
import uuid
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DONE = b"data: [DONE]\n\n"


class Reply(JSONResponse):
    """JSON in ASCII, so that even half a surrogate pair can be repeated."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return _json(content)


class Events(StreamingResponse):
    """A stream of server-sent events; what goes wrong in it is its last event."""

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncIterator[bytes], headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(_ending_in_words(events), headers=headers)


class RequestIds:
    """Gives every response its own `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                value = f"req_{uuid.uuid4().hex}".encode()
                message["headers"] = [*message["headers"], (b"x-request-id", value)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def event(payload: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + _json(payload) + b"\n\n"


def around(payload: dict[str, Any], mark: str) -> tuple[bytes, bytes]:
    """An event's bytes before and after the text `mark`.

    A stream has hundreds of events that differ in one text only.
    """
    before, after = event(payload).split(_json(mark))
    return before, after


def text(said: str) -> bytes:
    """A text as it stands inside an event."""
    return json.dumps(said).encode()


def openai_error(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
) -> Reply:
    """An error in OpenAI's shape."""
    return Reply(
        {"error": {"message": message, "type": kind, "param": param, "code": code}},
        status_code=status,
    )


def tgi_error(status: int, message: str, *, kind: str | None = None) -> Reply:
    """An error in TGI's shape; a client takes one with a type for TGI's own."""
    said = {"error": message} | ({"error_type": kind} if kind else {})
    return Reply(said, status_code=status)


def field_path(place: Iterable[int | str]) -> str:
    """Where a fault lies, as in `messages[0].content`; names of types are left out."""
    path = ""
    for step in place:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.islower() and step.isidentifier() and step not in ("body", "str"):
            path += f".{step}" if path else step
    return path


async def _ending_in_words(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for one in events:
            yield one
    except Exception as error:  # the head is sent: only an event can tell the client
        said = {"message": f"{type(error).__name__} in the model", "code": None}
        yield event({"error": {**said, "type": "server_error", "param": None}})
        raise


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
