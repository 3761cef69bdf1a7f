"""The outermost layer: an id for each request, headers for each answer, and the last
resort for what nobody expected.
"""

import secrets

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aistrale_lab.server.errors import envelope, log_error

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, nothing inline: what a model wrote cannot become a script."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # not no-referrer, with which browsers send forms without their origin
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every answer that does not say otherwise itself."""

RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

TLS_ONLY = b"max-age=31536000"


class Border:
    """Middleware: nothing passes it without the headers, and no exception does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request.state.request_id = f"req_{secrets.token_hex(12)}"
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            log_error(request, error)
            if begun:
                raise
            answer = envelope(request, 500, "InternalError", "something went wrong")
            await answer(scope, receive, send_with_headers)


def _add_headers(scope: Scope, message: Message) -> None:
    headers = list(message["headers"])
    said = {name for name, _ in headers}
    headers += [one for one in RAW_HEADERS if one[0] not in said]
    headers.append((b"x-request-id", scope["state"]["request_id"].encode()))
    if scope["scheme"] == "https":
        headers.append((b"strict-transport-security", TLS_ONLY))
    message["headers"] = headers
