"""A span around each request, in the trace of its caller if that tells one."""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aistrale_lab.telemetry.observer import Telemetry


class Traced:
    """Middleware: what happens inside a request is a child of its span."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, scheme, path = (scope[name] for name in ("method", "scheme", "path"))
        headers = Headers(scope=scope)
        with self._telemetry.request(method, scheme, path, headers) as span:

            async def send_and_see(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = getattr(Request(scope).state, "route", None)
                    span.answered(message["status"], route)
                await send(message)

            await self._app(scope, receive, send_and_see)
