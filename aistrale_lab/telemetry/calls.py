"""Calls as GenAI client spans and metrics: never what was asked, or was answered."""

from collections.abc import Callable, Iterator
from contextvars import Token
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import HTTP_RESPONSE_STATUS_CODE
from opentelemetry.semconv.attributes.server_attributes import (
    SERVER_ADDRESS,
    SERVER_PORT,
)
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from aistrale_lab.domain.chat import GenerateConfig, Request, Usage
from aistrale_lab.domain.runs import Attempt
from aistrale_lab.engine.outcome import Outcome
from aistrale_lab.runners.base import Endpoint

Clean = Callable[[str], str]
"""Takes secrets out of a text."""

Attributes = dict[str, Any]

CHAT = "chat"
CANCELLED = "CancelledError"

SECONDS = [0.01 * 2**n for n in range(14)]
TOKENS = [4**n for n in range(14)]
"""Upper bounds of the histograms, as the conventions have them."""

PORTS = {"http": 80, "https": 443}


class Instruments:
    """The metrics of calls, of a whole bench."""

    def __init__(self, meter: Meter, clean: Clean) -> None:
        self._clean = clean
        self.duration = meter.create_histogram(
            gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION,
            unit="s",
            description="How long each attempt took.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.first_chunk = meter.create_histogram(
            gen_ai_metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
            unit="s",
            description="Until the first words of a streamed answer.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.tokens = meter.create_histogram(
            gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE,
            unit="{token}",
            description="Tokens of an answered call.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def record(self, outcome: Outcome, who: Attributes, *, streamed: bool) -> None:
        """Count every attempt, and the tokens of the one that was answered."""
        for failed in outcome.failed:
            self.duration.record(failed.duration, who | {ERROR_TYPE: failed.error_type})
        if outcome.error is not None:
            return
        if outcome.completion is None:
            self.duration.record(outcome.duration or 0, who | {ERROR_TYPE: CANCELLED})
            return
        if outcome.heard.response_model is not None:
            model = self._clean(outcome.heard.response_model)
            who = who | {gen_ai.GEN_AI_RESPONSE_MODEL: model}
        self.duration.record(outcome.duration or 0, who)
        first = _first_chunk(outcome) if streamed else None
        if first is not None:
            self.first_chunk.record(first, who)
        usage = outcome.completion.usage
        for kind, count in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
        ):
            if count is not None:
                self.tokens.record(count, who | {gen_ai.GEN_AI_TOKEN_TYPE: kind})


class LaneCalls:
    """The calls of one lane."""

    def __init__(
        self, tracer: Tracer, instruments: Instruments, endpoint: Endpoint, clean: Clean
    ) -> None:
        self._tracer = tracer
        self._instruments = instruments
        self._clean = clean
        self._where: Attributes = {
            gen_ai.GEN_AI_OPERATION_NAME: CHAT,
            gen_ai.GEN_AI_PROVIDER_NAME: clean(endpoint.provider),
            **_address(endpoint.base_url),
        }

    def begin(self, request: Request) -> "ChatCall":
        """A span of its own, current from now on in the task that calls."""
        model = self._clean(request.model)
        who = self._where | {gen_ai.GEN_AI_REQUEST_MODEL: model}
        span = self._tracer.start_span(
            f"{CHAT} {model}", kind=SpanKind.CLIENT, attributes=who
        )
        return ChatCall(span, self._instruments, request, who, self._clean)


class ChatCall:
    """A call that has been sent."""

    __slots__ = ("_span", "_instruments", "_request", "_who", "_clean", "_token")

    def __init__(
        self,
        span: Span,
        instruments: Instruments,
        request: Request,
        who: Attributes,
        clean: Clean,
    ) -> None:
        self._span = span
        self._instruments = instruments
        self._request = request
        self._who = who
        self._clean = clean
        self._token: Token[Context] = context.attach(set_span_in_context(span))

    def end(self, outcome: Outcome) -> None:
        """Close the span, with what is known now."""
        streamed = self._request.stream
        self._instruments.record(outcome, self._who, streamed=streamed)
        context.detach(self._token)
        if self._span.is_recording():
            self._describe(outcome)
        self._span.end()

    def _describe(self, outcome: Outcome) -> None:
        span = self._span
        span.set_attributes(dict(_asked(self._request, self._clean)))
        span.set_attributes(dict(_answered(outcome, self._clean)))
        first = _first_chunk(outcome) if self._request.stream else None
        if first is not None:
            span.set_attribute(gen_ai.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, first)
        for failed in outcome.failed:
            _tell_failed(span, failed)
        if outcome.completion is None:
            error = outcome.error
            span.set_attribute(ERROR_TYPE, type(error).__name__ if error else CANCELLED)
            span.set_status(StatusCode.ERROR)


def _asked(request: Request, clean: Clean) -> Iterator[tuple[str, Any]]:
    yield gen_ai.GEN_AI_REQUEST_STREAM, request.stream
    if request.sample_id is not None:
        yield "aistrale.sample.id", clean(request.sample_id)
        yield "aistrale.epoch", request.epoch
    for name, value in _settings(request.config).items():
        if value is not None:
            yield name, value
    if request.config.response_format is not None:
        kind = gen_ai.GenAiOutputTypeValues.JSON
        yield gen_ai.GEN_AI_OUTPUT_TYPE, kind.value


def _settings(config: GenerateConfig) -> Attributes:
    return {
        gen_ai.GEN_AI_REQUEST_TEMPERATURE: config.temperature,
        gen_ai.GEN_AI_REQUEST_TOP_P: config.top_p,
        gen_ai.GEN_AI_REQUEST_MAX_TOKENS: config.max_tokens,
        gen_ai.GEN_AI_REQUEST_SEED: config.seed,
        gen_ai.GEN_AI_REQUEST_FREQUENCY_PENALTY: config.frequency_penalty,
        gen_ai.GEN_AI_REQUEST_PRESENCE_PENALTY: config.presence_penalty,
    }


def _answered(outcome: Outcome, clean: Clean) -> Iterator[tuple[str, Any]]:
    heard = outcome.heard
    yield "aistrale.attempts", len(outcome.failed) + (outcome.error is None)
    yield "aistrale.queue_s", outcome.queue
    yield "aistrale.retry_wait_s", outcome.retry_wait
    if outcome.cost is not None:
        yield "aistrale.cost_usd", float(outcome.cost)
    if heard.request_id is not None:
        yield "aistrale.request.id", clean(heard.request_id)
    if heard.response_model is not None:
        yield gen_ai.GEN_AI_RESPONSE_MODEL, clean(heard.response_model)
    if outcome.completion is not None:
        reasons = [outcome.completion.finish_reason.value]
        yield gen_ai.GEN_AI_RESPONSE_FINISH_REASONS, reasons
    for name, count in _tokens(heard.usage or Usage()).items():
        if count is not None:
            yield name, count


def _tokens(usage: Usage) -> dict[str, int | None]:
    return {
        gen_ai.GEN_AI_USAGE_INPUT_TOKENS: usage.input_tokens,
        gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS: usage.output_tokens,
        gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: usage.cached_input_tokens,
        gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: usage.reasoning_tokens,
    }


def _tell_failed(span: Span, failed: Attempt) -> None:
    told: Attributes = {
        "aistrale.attempt": failed.number,
        "aistrale.duration_s": failed.duration,
        "aistrale.wait_s": failed.wait,
        ERROR_TYPE: failed.error_type,
    }
    if failed.status is not None:
        told[HTTP_RESPONSE_STATUS_CODE] = failed.status
    at = failed.started_at.timestamp() + failed.duration
    span.add_event("aistrale.attempt_failed", told, timestamp=int(at * 1e9))


def _first_chunk(outcome: Outcome) -> float | None:
    """Seconds until the first words; those of a whole answer come all at once."""
    heard = outcome.heard
    return heard.moments[0] - heard.started if heard.moments else None


def _address(base_url: str | None) -> Attributes:
    parts = urlsplit(base_url or "")
    if not parts.hostname:
        return {}
    port = parts.port or PORTS.get(parts.scheme)
    return {SERVER_ADDRESS: parts.hostname, SERVER_PORT: port}
