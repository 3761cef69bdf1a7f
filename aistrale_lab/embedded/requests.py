"""What clients send: the fields of OpenAI's API and of TGI's that are understood."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from aistrale_lab.embedded.models import Sampling, Turn

MOST_TOKENS = 100_000
"""The longest answer, if a request sets no limit of its own."""

Limit = Annotated[int, Field(ge=1)]


class _Asked(BaseModel):
    """Unknown fields are passed over, as most compatible servers do."""

    model_config = ConfigDict(extra="ignore", strict=True)


class StreamOptions(_Asked):
    """What a stream is to carry besides the text."""

    include_usage: bool | None = None


class _Generation(_Asked):
    """The settings that both of OpenAI's APIs share; null is the same as unset."""

    model: str = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stop: str | list[str] | None = None
    n: int | None = Field(default=None, ge=1, le=128)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None

    @property
    def limit(self) -> int:
        """The most tokens of one answer."""
        asked = self.max_completion_tokens or self.max_tokens or MOST_TOKENS
        return min(asked, MOST_TOKENS)

    @property
    def stops(self) -> list[str]:
        """The texts before which an answer ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen: greedily, unless a temperature is sent."""
        return Sampling(
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
        )

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ContentPart(_Asked):
    """A part of a turn; no model in the box sees or hears."""

    type: Literal["text", "refusal"]
    text: str = ""
    refusal: str = ""


class ChatMessage(_Asked):
    """One turn. `content` is null where an assistant called a tool."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None

    @property
    def turn(self) -> Turn:
        """Role and text."""
        if isinstance(self.content, list):
            return self.role, "\n".join(
                part.text or part.refusal for part in self.content
            )
        return self.role, self.content or ""


class ChatRequest(_Generation):
    """A chat completion is asked for."""

    messages: list[ChatMessage] = Field(min_length=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)

    @property
    def alternatives(self) -> int | None:
        """As many as `top_logprobs`, if `logprobs` is true."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def conversations(self) -> list[list[Turn]]:
        """The one conversation."""
        return [[message.turn for message in self.messages]]


class CompletionRequest(_Generation):
    """Texts are to be continued."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    logprobs: int | None = Field(default=None, ge=0, le=20)

    @property
    def alternatives(self) -> int | None:
        """As many as `logprobs`; 0 is the tokens' own probabilities alone."""
        return self.logprobs

    @property
    def conversations(self) -> list[list[Turn]]:
        """Each prompt as a user turn of its own."""
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        return [[("user", prompt)] for prompt in prompts]


class GenerationParameters(_Asked):
    """TGI's settings."""

    max_new_tokens: Limit | None = None
    stop: list[str] | None = None
    temperature: float | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, gt=0, lt=1)
    do_sample: bool | None = None
    seed: int | None = None
    details: bool | None = None
    top_n_tokens: int | None = Field(default=None, ge=1, le=20)
    return_full_text: bool | None = None

    @property
    def sampling(self) -> Sampling:
        """How tokens are chosen: greedily, unless a setting asks for a draw."""
        drawn = self.do_sample
        if drawn is None:
            drawn = self.temperature is not None
        return Sampling(
            temperature=(self.temperature or 1.0) if drawn else 0.0,
            top_p=self.top_p or 1.0,
            seed=self.seed,
            alternatives=self.top_n_tokens or 0,
        )


class GenerateRequest(_Asked):
    """A text is to be continued, in TGI's words."""

    inputs: str
    parameters: GenerationParameters | None = None
    stream: bool | None = None
