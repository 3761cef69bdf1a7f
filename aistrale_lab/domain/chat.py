"""A conversation with a model: what is sent, and what comes back."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from aistrale_lab.domain.values import Value

Role = Literal["system", "developer", "user", "assistant", "tool"]
"""Who speaks in a message."""

T = TypeVar("T")
IfSaid = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""What most messages have not: where it is not said, it is neither sent nor stored."""

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""An answer larger than this, decompressed, is refused."""


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    UNKNOWN = "unknown"


class Message(Value):
    """One turn of a conversation. Content parts other than text go out as they are.

    What a model said with `tool_calls`, or as a `refusal`, may have no content; a turn
    of role `tool` names by `tool_call_id` the call that it answers.
    """

    role: Role
    content: str | list[dict[str, Any]] | None = None
    name: IfSaid[str] = None
    tool_calls: IfSaid[list[dict[str, Any]]] = None
    tool_call_id: IfSaid[str] = None
    refusal: IfSaid[str] = None
    reasoning_content: IfSaid[str] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not self.tool_calls and self.refusal is None:
            raise ValueError("a message without tool_calls or refusal needs a content")
        return self

    @property
    def text(self) -> str:
        """The text of the message, without its other parts."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(
            str(part["text"]) for part in self.content if part.get("type") == "text"
        )

    @property
    def besides(self) -> str:
        """What goes out besides role and content, as text: it is tokens as well."""
        return str(self.model_dump(exclude={"role", "content"}) or "")


class GenerateConfig(Value):
    """Settings of a call. An unset field is not sent; `extra` is sent as it is."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    stop_sequences: tuple[str, ...] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0)
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    tool_choice: str | dict[str, Any] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("stop_sequences", mode="before")
    @classmethod
    def _one_stop_sequence_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def sent(self) -> dict[str, Any]:
        """The fields that are set, in our words; `extra` apart."""
        return self.model_dump(exclude_none=True, exclude={"extra"})


class Usage(Value):
    """Tokens of one call; `input_tokens` includes the cached ones.

    None: the provider did not say. Never 0.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None


class Request(Value):
    """One call, as an adapter gets it: who is asked, what, and how."""

    model: str
    messages: tuple[Message, ...]
    config: GenerateConfig = GenerateConfig()
    stream: bool = True
    max_bytes: int = MAX_ANSWER_BYTES
    sample_id: str | None = None
    """Whose call this is; `replay` finds the recorded answer by it. Never sent."""
    epoch: int = 1


@dataclass(slots=True, frozen=True)
class RateLimits:
    """What the provider's headers say of the limits of this key and model.

    Counts are None where it did not say; `reset_*` are seconds from now.
    """

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


@dataclass(slots=True)
class Chunk:
    """A piece of an answer, as it arrives; one is made per token, hence no `Value`.

    The first chunk may carry no text, only `request_id` and `limits` of the head,
    and `sent_at`, the `time.perf_counter` at which the request went out.
    The last chunk has a `finish_reason` and `raw`, the assembled payload as JSON.
    `duration` and `time_to_first_token` (seconds) are set by runners that replay
    recorded timings; the engine measures all others.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    response_model: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    raw: str | None = None
    limits: RateLimits | None = None
    sent_at: float | None = None
    flags: tuple[str, ...] = ()
    duration: float | None = None
    time_to_first_token: float | None = None
    untimed: bool = False
    """The answer comes from a record: its times are unknown, not measured."""


class Completion(Value):
    """A whole answer. `text` may be empty: a refusal or a tool call is an answer."""

    text: str
    finish_reason: FinishReason
    usage: Usage = Usage()
    reasoning: str = ""
    response_model: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    raw: str | None = None
    flags: tuple[str, ...] = ()
