"""A bench whose spans and metrics are kept in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aistrale_lab.lab.bench import Lab
from aistrale_lab.logs import Log
from aistrale_lab.settings import load_settings
from aistrale_lab.store.results import Store
from aistrale_lab.telemetry.observer import Telemetry, trace_ids


class Observed:
    """The bench, and what was seen of it."""

    def __init__(self, store_url: str, log_path: Path) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self._tracing = TracerProvider()
        self._tracing.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._measuring = MeterProvider([self._reader])
        self.log_path = log_path
        settings = load_settings()
        log = Log(log_path, secrets=settings.secrets())
        log.beside = trace_ids
        self.telemetry = Telemetry(
            self._tracing, self._measuring, secrets=settings.secrets()
        )
        self.bench = Lab(Store.open(store_url), settings, log, self.telemetry)

    @property
    def spans(self) -> list[ReadableSpan]:
        """What has ended, in the order in which it did."""
        return list(self._exporter.get_finished_spans())

    def wait_for(self, *names: str) -> None:
        """Wait for spans of these names: a request's ends after its answer is read."""
        give_up = time.monotonic() + 30
        while not set(names) <= {span.name for span in self.spans}:
            if time.monotonic() > give_up:
                raise TimeoutError(f"there are only {self.spans}")
            time.sleep(0.01)

    def spans_named(self, name: str) -> list[ReadableSpan]:
        """Those spans of that name."""
        return [span for span in self.spans if span.name == name]

    def points(self, metric: str) -> list[Any]:
        """The points of a metric."""
        seen = self._reader.get_metrics_data()
        return [
            point
            for resource in (seen.resource_metrics if seen else ())
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]

    def close(self) -> None:
        """Close the bench and the providers."""
        self.bench.close()
        self._tracing.shutdown()
        self._measuring.shutdown()


@contextmanager
def observed(store_url: str, folder: Path) -> Iterator[Observed]:
    """An observed bench, closed at the end."""
    seen = Observed(store_url, folder / "observed.log")
    try:
        yield seen
    finally:
        seen.close()
