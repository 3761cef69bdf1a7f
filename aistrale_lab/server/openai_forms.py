"""OpenAI's chat completions: their requests in our words, and our answers in theirs."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, FinishReason, GenerateConfig, Message
from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.asking import Asked
from aistrale_lab.server.allowed import EXTRA, MODEL

FINISHES = {FinishReason.REFUSAL: "stop", FinishReason.UNKNOWN: "stop"}
"""Reasons that OpenAI has no word for."""


class Turn(Message):
    """A message, as it is sent, or as OpenAI's client holds what was answered.

    What only an answer has is taken and goes no further.
    """

    model_config = ConfigDict(strict=True)

    annotations: list[dict[str, Any]] | None = Field(default=None, exclude=True)
    audio: None = Field(default=None, exclude=True)
    function_call: None = Field(default=None, exclude=True)


class StreamOptions(BaseModel):
    """What a stream shall tell."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatCompletion(BaseModel):
    """A request, as OpenAI's clients make it; `model` is PROVIDER/MODEL."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    model: Annotated[str, Field(pattern=MODEL, examples=["embedded/calculator"])]
    messages: Annotated[list[Turn], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0)
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: Literal[False] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    logit_bias: dict[str, float] | None = None
    min_p: float | None = None
    parallel_tool_calls: bool | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    verbosity: str | None = None

    def config(self) -> GenerateConfig:
        """The settings in our words; raises ValidationError for two limits."""
        if self.max_tokens and self.max_completion_tokens:
            raise ValidationError("give max_tokens or max_completion_tokens, not both")
        if self.stream and self.logprobs:
            raise ValidationError("logprobs are not told in a stream")
        names = GenerateConfig.model_fields.keys() & type(self).model_fields.keys()
        ours = {name: getattr(self, name) for name in names}
        ours["max_tokens"] = self.max_tokens or self.max_completion_tokens
        ours["stop_sequences"] = self.stop
        extra = {name: getattr(self, name) for name in EXTRA}
        return GenerateConfig(
            **{name: value for name, value in ours.items() if value is not None},
            extra={name: value for name, value in extra.items() if value is not None},
        )


def whole(answer: Answer) -> dict[str, Any]:
    """The answer of a request that is no stream."""
    choice = _choice(answer.raw)
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    calls = choice.get("message", {}).get("tool_calls")
    if calls:
        message["tool_calls"] = calls
    told = {
        "index": 0,
        "message": message,
        "logprobs": choice.get("logprobs"),
        "finish_reason": _finish(answer),
    }
    return {
        "id": _id(answer.id),
        "object": "chat.completion",
        "created": int(answer.started_at.timestamp()),
        "model": str(answer.model),
        "choices": [told],
        "usage": _usage(answer),
    }


class Chunks:
    """The chunks that tell one answer, piece by piece."""

    def __init__(self, asked: Asked, created: int, *, usage: bool) -> None:
        self._head = {
            "id": _id(asked.id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": str(asked.model),
        }
        self._usage = usage

    def first(self) -> dict[str, Any]:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: Chunk) -> dict[str, Any]:
        """Some words."""
        delta = {"content": piece.text} if piece.text else {}
        if piece.reasoning:
            delta["reasoning_content"] = piece.reasoning
        return self._chunk(delta)

    def last(self, answer: Answer) -> Iterator[dict[str, Any]]:
        """Why it ended, and what it took if that was asked for."""
        calls = _choice(answer.raw).get("message", {}).get("tool_calls")
        if calls:
            told = [{"index": n, **call} for n, call in enumerate(calls)]
            yield self._chunk({"tool_calls": told})
        yield self._chunk({}, _finish(answer))
        if self._usage:
            yield {**self._head, "choices": [], "usage": _usage(answer)}

    def _chunk(
        self, delta: dict[str, Any], finish: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        told: dict[str, Any] = {**self._head, "choices": [choice]}
        return told | ({"usage": None} if self._usage else {})


def _id(call_id: str) -> str:
    return f"chatcmpl-{call_id}"


def _finish(answer: Answer) -> str:
    assert answer.finish_reason is not None  # an answer without has raised
    return FINISHES.get(answer.finish_reason, answer.finish_reason.value)


def _usage(answer: Answer) -> dict[str, Any] | None:
    usage = answer.usage
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    told: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_input_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached_input_tokens}
    if usage.reasoning_tokens is not None:
        reasoning = {"reasoning_tokens": usage.reasoning_tokens}
        told["completion_tokens_details"] = reasoning
    return told


def _choice(raw: str | None) -> dict[str, Any]:
    """The choice of a provider's own answer, as far as it has OpenAI's form."""
    if raw is None or not ('"tool_calls"' in raw or '"logprobs"' in raw):
        return {}
    try:
        choice = json.loads(raw)["choices"][0]
    except (ValueError, LookupError, TypeError):
        return {}
    fits = isinstance(choice, dict) and isinstance(choice.get("message"), dict)
    return choice if fits else {}
