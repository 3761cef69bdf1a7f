"""Requests to a server as spans after the HTTP conventions."""

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.semconv.attributes import http_attributes as http
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.url_attributes import URL_PATH
from opentelemetry.trace import Span, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE".split())
OTHER = "_OTHER"
UNNAMED = "HTTP"
CARRIED = ("traceparent", "tracestate")


class ServedRequest:
    """The span of a request that is being answered."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._name = method_name(method)

    def answered(self, status: int, route: str | None) -> None:
        """The answer begins; `route` is the template of the path, None if there is none."""
        self._span.set_attribute(http.HTTP_RESPONSE_STATUS_CODE, status)
        if route is not None:
            self._span.set_attribute(http.HTTP_ROUTE, route)
            self._span.update_name(f"{self._name} {route}")
        if status >= 500:
            self._span.set_attribute(ERROR_TYPE, str(status))
            self._span.set_status(StatusCode.ERROR)


def method_name(method: str) -> str:
    """The method, if it is one: what else a client writes there names no span."""
    return method if method in METHODS else UNNAMED


def described(method: str, path: str, clean: Callable[[str], str]) -> dict[str, Any]:
    """What is known when a request comes in; its query stays here."""
    return {
        http.HTTP_REQUEST_METHOD: method if method in METHODS else OTHER,
        URL_PATH: clean(path),
    }


def caller_context(headers: Mapping[str, str]) -> Context:
    """The trace that a caller says it is in (W3C traceparent)."""
    carried = {name: headers[name] for name in CARRIED if name in headers}
    return TraceContextTextMapPropagator().extract(carried, Context())
