"""What the engine asks of a runner, and what a runner is told of its endpoint."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ConfigError, MissingKeyError

Api = Literal["chat", "responses", "completions"]
"""Which of an endpoint's APIs is spoken."""


class Endpoint(Value):
    """Where a provider's calls go, and with which key. Resolved by `Lab`.

    `kind` names the adapter, `provider` is the user's name of the endpoint. The key
    is held as a secret: it has no repr, and is not part of any dump.
    """

    provider: str
    kind: str
    base_url: str | None = None
    key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    api: Api = "chat"
    max_tokens_field: str | None = None
    """The name `max_tokens` goes out by; None: the adapter's own choice."""
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int = 16
    """The calls in flight that the connection pool must have room for."""
    connect_timeout: float = 20.0
    """Seconds to reach the endpoint; the engine keeps all other deadlines."""
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def secret(self) -> str | None:
        """The key itself, for the adapter alone."""
        return self.key.get_secret_value() if self.key else None


class Runner(Protocol):
    """Anything that can answer a request, chunk by chunk.

    `stream` raises nothing but `RunnerError`. With `request.stream` false it asks
    for the whole answer at once and yields it as one chunk. Its last chunk has a
    `finish_reason`; one that ends without is reported as truncated by the engine.
    """

    async def open(self) -> None:
        """Make ready before the first call, so that no call's time includes it."""

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send one request, once, with no retry of its own."""

    async def close(self) -> None:
        """Release connections and processes."""


def check_key(key: str, *, variable: str) -> str:
    """The key, if it can go into a header; the error never shows it.

    Raises MissingKeyError if it is empty, ConfigError if it holds white space,
    control or non-ASCII characters.
    """
    if not key.strip():
        raise MissingKeyError(f"{variable} is empty")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{variable} holds a line break, a space or a non-ASCII character; "
            "set it to the bare key"
        )
    return key


def check_base_url(url: str, *, name: str) -> str:
    """The URL without a trailing slash, if it is http(s) and bears no secret.

    Raises ConfigError for another scheme, no host, credentials, a query or a
    fragment; the message never repeats credentials.
    """
    parts = _split(url)
    if parts is None:
        raise ConfigError(f"{name} is no URL: its host or port is malformed")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ConfigError(f"{name} holds credentials; keys belong in the environment")
    if parts.query or parts.fragment:
        raise ConfigError(f"{name} must not have a query or a fragment")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = "" if "@" in url else f" {url!r}"
        raise ConfigError(f"{name}{shown} is no http:// or https:// URL")
    return url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    """The URL's parts; None, and no text that may hold a password, if it has none."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


Headers = Mapping[str, str]
"""Response headers, looked up without regard to case."""
