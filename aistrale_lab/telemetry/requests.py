"""Requests to a server as spans and a metric after the HTTP conventions."""

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter
from opentelemetry.semconv.attributes import http_attributes as http
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.url_attributes import URL_PATH, URL_SCHEME
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION
from opentelemetry.trace import Span, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE".split())
OTHER = "_OTHER"
UNNAMED = "HTTP"
CARRIED = ("traceparent", "tracestate")


SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
"""Upper bounds of the histogram, as the conventions have them."""


def make_durations(meter: Meter) -> Histogram:
    """The metric of how long requests take, to the last byte of the answer."""
    return meter.create_histogram(
        HTTP_SERVER_REQUEST_DURATION,
        unit="s",
        description="Duration of HTTP server requests.",
        explicit_bucket_boundaries_advisory=SECONDS,
    )


class ServedRequest:
    """The span of a request that is being answered, and what its metric says."""

    def __init__(self, span: Span, method: str, scheme: str) -> None:
        self._span = span
        self._name = method_name(method)
        self.measured = _asked(method, scheme)

    def answered(self, status: int, route: str | None) -> None:
        """The answer begins; `route` is the template of the path, None if there is none."""
        told: dict[str, Any] = {http.HTTP_RESPONSE_STATUS_CODE: status}
        if route is not None:
            told[http.HTTP_ROUTE] = route
            self._span.update_name(f"{self._name} {route}")
        if status >= 500:
            told[ERROR_TYPE] = str(status)
            self._span.set_status(StatusCode.ERROR)
        self._span.set_attributes(told)
        self.measured |= told

    def broke_off(self, error: BaseException) -> None:
        """The answer was not sent to its end."""
        self.measured[ERROR_TYPE] = type(error).__name__


def method_name(method: str) -> str:
    """The method, if it is one: what else a client writes there names no span."""
    return method if method in METHODS else UNNAMED


def described(
    method: str, scheme: str, path: str, clean: Callable[[str], str]
) -> dict[str, Any]:
    """What is known when a request comes in; its query stays here."""
    return {**_asked(method, scheme), URL_PATH: clean(path)}


def _asked(method: str, scheme: str) -> dict[str, Any]:
    known = method if method in METHODS else OTHER
    return {http.HTTP_REQUEST_METHOD: known, URL_SCHEME: scheme}


def caller_context(headers: Mapping[str, str]) -> Context:
    """The trace that a caller says it is in (W3C traceparent)."""
    carried = {name: headers[name] for name in CARRIED if name in headers}
    return TraceContextTextMapPropagator().extract(carried, Context())
