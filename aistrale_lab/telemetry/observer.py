"""The observer that makes spans and metrics, through providers of the bench's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode

from aistrale_lab.domain.runs import RunSpec, RunStatus
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.logs import redact
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.telemetry.calls import Instruments, LaneCalls
from aistrale_lab.telemetry.requests import (
    ServedRequest,
    caller_context,
    described,
    make_durations,
    method_name,
)

SCOPE = "aistrale_lab"

REMEMBERED = 1024
"""Texts, such as names of models, of which is known what is left without secrets."""


class Telemetry:
    """Observes a bench; spans nest in whichever span is current where work begins.

    `close` is called once, at the end.
    """

    def __init__(
        self,
        traces: TracerProvider,
        metrics: MeterProvider,
        *,
        secrets: tuple[str, ...] = (),
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.tracer = traces.get_tracer(SCOPE)
        self.clean = lru_cache(REMEMBERED)(partial(redact, secrets=secrets))
        self.close = close
        meter = metrics.get_meter(SCOPE)
        self._instruments = Instruments(meter, self.clean)
        self._durations = make_durations(meter)

    def lane(self, endpoint: Endpoint) -> LaneCalls | None:
        """Who watches the calls to an endpoint; None if no model is asked there."""
        if endpoint.kind == "replay":
            return None
        return LaneCalls(self.tracer, self._instruments, endpoint, self.clean)

    @contextmanager
    def experiment(self, experiment_id: str, name: str) -> Iterator[None]:
        """A span around all runs of an experiment."""
        named = {
            "aistrale.experiment.id": experiment_id,
            "aistrale.experiment.name": self.clean(name),
        }
        with self.span("experiment", named):
            yield

    @contextmanager
    def run(self, spec: RunSpec, progress: LaneProgress) -> Iterator[None]:
        """A span around all calls of a run."""
        model = self.clean(str(spec.model))
        named = {
            "aistrale.experiment.id": spec.experiment_id,
            "aistrale.run.id": spec.run_id,
            "aistrale.run.model": model,
        }
        with self.span(f"run {model}", named) as span:
            try:
                yield
            finally:
                _tell_end(span, progress)

    @contextmanager
    def request(
        self, method: str, scheme: str, path: str, headers: Mapping[str, str]
    ) -> Iterator[ServedRequest]:
        """A span around a request to a server, in the trace that its headers tell.

        How long it took is measured too.
        """
        # a path is the client's own word: it is cleaned, but not remembered
        known = described(method, scheme, path, self.clean.__wrapped__)
        within, began = caller_context(headers), perf_counter()
        with self.span(
            method_name(method), known, kind=SpanKind.SERVER, context=within
        ) as span:
            served = ServedRequest(span, method, scheme)
            try:
                yield served
            except BaseException as error:
                served.broke_off(error)
                raise
            finally:
                self._durations.record(perf_counter() - began, served.measured)

    @contextmanager
    def span(
        self, name: str, attributes: dict[str, Any], **more: Any
    ) -> Iterator[Span]:
        """A span that is current inside; of an exception it tells the class alone."""
        kind = more.pop("kind", SpanKind.INTERNAL)
        span = self.tracer.start_span(name, kind=kind, attributes=attributes, **more)
        with trace.use_span(
            span,
            end_on_exit=True,
            record_exception=False,
            set_status_on_exception=False,
        ):
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise


def trace_ids() -> dict[str, str]:
    """The ids of the current span, for a line of a log; none if there is no span."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(found.trace_id),
        "span_id": trace.format_span_id(found.span_id),
    }


def _tell_end(span: Span, progress: LaneProgress) -> None:
    span.set_attributes(
        {
            "aistrale.run.status": progress.status.value,
            "aistrale.run.samples": progress.done,
            "aistrale.run.failed": progress.failed,
        }
    )
    if progress.status is RunStatus.FAILED:
        span.set_status(StatusCode.ERROR)
