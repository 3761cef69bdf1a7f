"""Switching telemetry on: the exporters that the standard OTEL_* variables name.

How and where to each exporter sends, the SDK reads from those variables itself.
"""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab.logs import Log, redact
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from aistrale_lab.telemetry.observer import Telemetry

KNOWN = ("otlp", "console")
SERVICE = "aistrale-lab"

MISSING = (
    "OTEL_* is set, but nothing is exported: OpenTelemetry is not installed; "
    "pip install 'aistrale-lab[otel]'"
)

GRACE = 5.0
"""Seconds that a collector is given at the end to take what is left."""


def open_telemetry(
    traces: Sequence[str],
    metrics: Sequence[str],
    *,
    log: Log,
    secrets: tuple[str, ...] = (),
) -> "Telemetry | None":
    """Telemetry with exporters of these names; None, after a word, if there is none.

    Lines of the log then bear the ids of the span that is current. Nothing of it is
    global: a program's own OpenTelemetry stays as it is.
    """
    known = [_only_known(signal) for signal in (traces, metrics)]
    if not any(known):
        return None
    try:
        from aistrale_lab.telemetry.observer import Telemetry, trace_ids
    except ModuleNotFoundError:
        note(MISSING)
        return None
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    resource, exporters = _resource(), _Exporters(log, secrets)
    sampler = None if known[0] else ALWAYS_OFF
    tracing = TracerProvider(sampler=sampler, resource=resource)
    for name in known[0]:
        tracing.add_span_processor(exporters.spans(name))
    measuring = MeterProvider(
        metric_readers=[exporters.metrics(name) for name in known[1]],
        resource=resource,
    )
    close = exporters.closing(tracing, measuring)
    log.beside = trace_ids
    return Telemetry(tracing, measuring, secrets=secrets, close=close)


class _Exporters:
    """Makes the exporters, and ends them within a bounded time."""

    def __init__(self, log: Log, secrets: tuple[str, ...]) -> None:
        self._made: list[Any] = []
        self._faults = _Faults(log, secrets)
        logging.getLogger("opentelemetry").addHandler(self._faults)

    def spans(self, name: str) -> Any:
        """What exports ended spans, in batches."""
        from opentelemetry.sdk.trace.export import (
            BatchSpanProcessor,
            ConsoleSpanExporter,
            SpanExporter,
        )

        exporter: SpanExporter
        if name == "console":
            exporter = ConsoleSpanExporter(out=sys.stderr)
        else:
            from opentelemetry.exporter.otlp.proto.http import trace_exporter

            exporter = trace_exporter.OTLPSpanExporter()
        self._made.append(exporter)
        return BatchSpanProcessor(exporter)

    def metrics(self, name: str) -> Any:
        """What exports metrics, every OTEL_METRIC_EXPORT_INTERVAL and at the end."""
        from opentelemetry.sdk.metrics.export import (
            ConsoleMetricExporter,
            MetricExporter,
            PeriodicExportingMetricReader,
        )

        exporter: MetricExporter
        if name == "console":
            exporter = ConsoleMetricExporter(out=sys.stderr)
        else:
            from opentelemetry.exporter.otlp.proto.http import metric_exporter

            exporter = metric_exporter.OTLPMetricExporter()
        self._made.append(exporter)
        return PeriodicExportingMetricReader(exporter)

    def closing(
        self, tracing: "TracerProvider", measuring: "MeterProvider"
    ) -> Callable[[], None]:
        """What sends the rest and ends every thread; a dead collector is not waited for."""

        def close() -> None:
            giving_up = threading.Timer(GRACE, self._give_up)
            giving_up.start()
            try:
                tracing.shutdown()
                measuring.shutdown()
            finally:
                giving_up.cancel()
                giving_up.join()
                logging.getLogger("opentelemetry").removeHandler(self._faults)

        return close

    def _give_up(self) -> None:
        self._faults.over = True
        for exporter in self._made:
            exporter.shutdown()


class _Faults(logging.Handler):
    """Keeps the SDK's complaints in the bench's log; a person is told of the first."""

    def __init__(self, log: Log, secrets: tuple[str, ...]) -> None:
        super().__init__(logging.WARNING)
        self.over = False
        self._log = log
        self._secrets = secrets
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one complaint."""
        if self.over:
            return
        said = redact(record.getMessage(), self._secrets)
        self._log.logger.warning("telemetry_failed", logger=record.name, said=said)
        if not self._told:
            self._told = True
            note(f"telemetry is not exported: {said}")


def _only_known(names: Sequence[str]) -> list[str]:
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        note(
            f"telemetry is not exported to {', '.join(unknown)}: "
            f"the exporters here are {' and '.join(KNOWN)}"
        )
    return [name for name in names if name in KNOWN]


def _resource() -> "Resource":
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: SERVICE}))
    return found
