"""HEAD: what GET would be answered, without the body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Middleware: whoever asks for the head of an answer gets that of GET.

    An answer of many pieces is left at its first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, send_head)
