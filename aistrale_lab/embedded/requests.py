"""What clients send: the fields of OpenAI's API and of TGI's that are understood."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aistrale_lab.embedded.models import Sampling, Turn

MOST_TOKENS = 100_000


class _Asked(BaseModel):
    """Unknown fields are passed over, as the real endpoints' proxies do."""

    model_config = ConfigDict(extra="ignore", strict=True)


class StreamOptions(_Asked):
    """What a stream is to carry besides the text."""

    include_usage: bool = False


class _Generation(_Asked):
    """The settings that both of OpenAI's APIs share."""

    model: str = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    stop: str | list[str] | None = None
    n: int = Field(default=1, ge=1, le=16)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None

    @property
    def limit(self) -> int:
        """The most tokens of one answer."""
        return self.max_completion_tokens or self.max_tokens or MOST_TOKENS

    @property
    def stops(self) -> list[str]:
        """The texts before which an answer ends."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]

    @property
    def sampling(self) -> Sampling:
        """How words are chosen; without a temperature, greedily."""
        return Sampling(
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
        )

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatMessage(_Asked):
    """One turn; of content parts, the text ones count."""

    role: str
    content: str | list[dict[str, Any]] | None = None

    @property
    def turn(self) -> Turn:
        """Role and text."""
        if isinstance(self.content, list):
            texts = (str(part.get("text", "")) for part in self.content)
            return self.role, "\n".join(text for text in texts if text)
        return self.role, self.content or ""


class ChatRequest(_Generation):
    """A chat completion is asked for."""

    messages: list[ChatMessage] = Field(min_length=1)

    @property
    def turns(self) -> list[Turn]:
        """The conversation."""
        return [message.turn for message in self.messages]


class CompletionRequest(_Generation):
    """A text is to be continued."""

    prompt: str | list[str]

    @property
    def turns(self) -> list[Turn]:
        """The prompt, as a single user turn."""
        text = self.prompt if isinstance(self.prompt, str) else "\n".join(self.prompt)
        return [("user", text)]


class GenerationParameters(_Asked):
    """TGI's settings."""

    max_new_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    stop: list[str] | None = None
    temperature: float | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, gt=0, lt=1)
    seed: int | None = None
    details: bool = False


class GenerateRequest(_Asked):
    """A text is to be continued, in TGI's words."""

    inputs: str
    parameters: GenerationParameters = GenerationParameters()
    stream: bool = False
