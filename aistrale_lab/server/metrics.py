"""What Prometheus may know: how many requests of which route, and how long they took.

Each process counts its own. No name of a user, a model or a file becomes a label.
"""

import time

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)
"""Upper bounds of the histogram: from a look into the store to a long answer."""


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter(
            "aistrale_requests", "Requests answered.", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "aistrale_request_seconds",
            "Until the last byte of the answer.",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.open = Gauge(
            "aistrale_requests_open", "Being answered.", registry=self.registry
        )
        self.sign_ins = Counter(
            "aistrale_sign_ins", "By outcome.", ("outcome",), registry=self.registry
        )


class Measured:
    """Middleware that counts and times."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.open.track_inprogress():
            try:
                await self._app(scope, receive, send_and_see)
            finally:
                self._count(Request(scope), status, time.perf_counter() - began)

    def _count(self, request: Request, status: int, seconds: float) -> None:
        route = getattr(request.state, "route", "none")
        # methods are words of the client's, and a label of each would be kept
        method = request.method if route != "none" else "any"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
