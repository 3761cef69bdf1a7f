"""What the user has set: environment, `aistrale.toml`, and nothing else.

Read only by `Lab.open()` and the entry points. Two files are read: the user's own
(in the platform's configuration folder) and the one in the working folder. The
working folder may belong to somebody else's repository, so its file may not send
a well-known key to a base URL that the user has not allowed.
"""

import os
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import unquote

import pydantic
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from aistrale_lab.errors import ConfigError

FILE_NAME = "aistrale.toml"
WELL_KNOWN_KEYS = frozenset(
    {
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "ANTHROPIC_API_KEY",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
    }
)


SHORTEST_HEADER = 8
"""A header's value below that is no secret: taken out, it would garble the log."""

OTLP_PROTOCOL = "http/protobuf"
"""How telemetry is sent to a collector."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProviderSettings(_Section):
    """One `[providers.NAME]`: an endpoint of the user's."""

    kind: str = "openai"
    base_url: str | None = None
    api_key_env: str | None = None
    api: Literal["chat", "responses", "completions"] = "chat"
    max_tokens_field: str | None = None
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)


class PriceSettings(_Section):
    """One `[prices."provider/model"]`: USD per million tokens."""

    input_mtok: Decimal = Field(ge=0)
    output_mtok: Decimal = Field(ge=0)
    cached_input_mtok: Decimal | None = Field(default=None, ge=0)


class ServerSettings(BaseSettings):
    """`[server]` or `AISTRALE_...`: what holds for everybody on a team server.

    `user_rpm`, `user_tpm` and `user_budget_usd` (per calendar month, UTC) hold for
    users who have no limit of their own; None: none. `public_url` is how browsers
    reach it, if that is not how the server is reached itself.
    """

    model_config = SettingsConfigDict(
        env_prefix="AISTRALE_", extra="forbid", frozen=True
    )

    session_idle_hours: float = Field(default=8, gt=0, le=24 * 365)
    session_days: float = Field(default=7, gt=0, le=365)
    metrics_token: SecretStr | None = None
    """What a scraper of /metrics sends as its bearer token; only the environment."""
    user_rpm: int | None = Field(default=None, ge=1)
    user_tpm: int | None = Field(default=None, ge=1)
    user_budget_usd: Decimal | None = Field(default=None, ge=0)
    user_concurrency: int = Field(default=64, ge=1)
    """Calls that a user may have under way at once, in each process."""
    max_tokens: int = Field(default=4096, ge=1)
    """The most that an answer may have, and what it has if nobody says."""
    max_body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024)
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and -Proto are believed."""
    public_url: str | None = None


class TelemetrySettings(BaseSettings):
    """What the standard OTEL_* variables switch on; the SDK reads the rest itself."""

    model_config = SettingsConfigDict(
        env_prefix="OTEL_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    sdk_disabled: str = "false"
    traces_exporter: str | None = None
    metrics_exporter: str | None = None
    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_metrics_endpoint: str | None = None
    exporter_otlp_protocol: str | None = None
    exporter_otlp_traces_protocol: str | None = None
    exporter_otlp_metrics_protocol: str | None = None
    exporter_otlp_headers: SecretStr | None = None
    exporter_otlp_traces_headers: SecretStr | None = None
    exporter_otlp_metrics_headers: SecretStr | None = None

    @property
    def traces(self) -> tuple[str, ...]:
        """The names of the exporters of spans; none if telemetry is off.

        Raises ConfigError for a protocol that no exporter here speaks.
        """
        return self._exporters("traces")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the exporters of metrics, likewise."""
        return self._exporters("metrics")

    def secrets(self) -> tuple[str, ...]:
        """The values of the headers that are sent to a collector."""
        headers = (
            self.exporter_otlp_headers,
            self.exporter_otlp_traces_headers,
            self.exporter_otlp_metrics_headers,
        )
        pairs = [p for h in headers if h for p in h.get_secret_value().split(",")]
        values = [pair.partition("=")[2].strip() for pair in pairs]
        long = [value for value in values if len(value) >= SHORTEST_HEADER]
        return tuple(dict.fromkeys([*long, *map(unquote, long)]))

    def _exporters(self, signal: str) -> tuple[str, ...]:
        if self.sdk_disabled.strip().lower() == "true":
            return ()
        chosen: str | None = getattr(self, f"{signal}_exporter")
        names = chosen.split(",") if chosen is not None else self._implied(signal)
        found = [name.strip() for name in names]
        if "otlp" in found:
            self._check_protocol(signal)
        return tuple(name for name in found if name not in ("", "none"))

    def _implied(self, signal: str) -> list[str]:
        own = getattr(self, f"exporter_otlp_{signal}_endpoint")
        return ["otlp"] if own or self.exporter_otlp_endpoint else []

    def _check_protocol(self, signal: str) -> None:
        """The signal's own variable counts before the general one."""
        for name in (f"exporter_otlp_{signal}_protocol", "exporter_otlp_protocol"):
            told: str | None = getattr(self, name)
            if told is None:
                continue
            if told.strip() != OTLP_PROTOCOL:
                _refuse(
                    f"OTEL_{name.upper()}",
                    f"telemetry is not sent by {told!r}; possible: {OTLP_PROTOCOL} "
                    "(of a collector mostly port 4318), or no such variable",
                )
            return


class _File(_Section):
    store: str | None = None
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    server: dict[str, Any] = Field(default_factory=dict)
    allow_key_urls: tuple[str, ...] = ()
    """Base URLs that well-known keys may be sent to; only the user's own file."""


class Settings(BaseSettings):
    """Environment variables, and the two files merged."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    store: str = Field(
        default="sqlite:///aistrale.db", validation_alias="AISTRALE_STORE"
    )
    log: Literal["json", "human"] = Field(
        default="json", validation_alias="AISTRALE_LOG"
    )
    openai_api_key: SecretStr | None = Field(
        default=None, validation_alias="OPENAI_API_KEY"
    )
    openai_base_url: str | None = Field(
        default=None, validation_alias="OPENAI_BASE_URL"
    )
    hf_token: SecretStr | None = Field(default=None, validation_alias="HF_TOKEN")
    hf_base_url: str | None = Field(default=None, validation_alias="HF_BASE_URL")
    token: SecretStr | None = Field(default=None, validation_alias="AISTRALE_TOKEN")
    """Who one is on a team's server."""
    embedded_url: str | None = Field(
        default=None, validation_alias="AISTRALE_EMBEDDED_URL"
    )
    """Where the models in the box are served already; None: by a server of our own."""
    batch: str | None = Field(default=None, validation_alias="AISTRALE_BATCH")
    """The batch that this process works for, with its point and notebook."""
    point: str | None = Field(default=None, validation_alias="AISTRALE_POINT")
    notebook: str | None = Field(default=None, validation_alias="AISTRALE_NOTEBOOK")
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    server: ServerSettings = Field(
        default_factory=ServerSettings, validation_alias="AISTRALE_SERVER"
    )
    telemetry: TelemetrySettings = Field(
        default_factory=TelemetrySettings, validation_alias="AISTRALE_TELEMETRY"
    )

    def provider_key(self, provider: ProviderSettings) -> SecretStr | None:
        """The key that a provider's `api_key_env` names, or None."""
        value = os.environ.get(provider.api_key_env or "")
        return SecretStr(value) if value is not None else None

    def secrets(self) -> tuple[str, ...]:
        """Every key that is set, for exact redaction."""
        keys = [self.openai_api_key, self.hf_token, self.token]
        keys += [self.server.metrics_token]
        keys += [self.provider_key(provider) for provider in self.providers.values()]
        set_here = [k.get_secret_value() for k in keys if k and k.get_secret_value()]
        return (*set_here, *self.telemetry.secrets())


def load_settings(folder: Path | None = None) -> Settings:
    """The settings that hold in a folder (the working folder if None).

    Raises ConfigError, naming file and field, for a file that is broken or that
    pairs a well-known key with a base URL the user has not allowed.
    """
    own = _read(_own_file())
    local = _read((folder or Path.cwd()) / FILE_NAME)
    if local.allow_key_urls:
        _refuse(FILE_NAME, f"allow_key_urls belongs into {_own_file()}")
    for name, provider in local.providers.items():
        _check_pairing(name, provider, own)
    merged: dict[str, Any] = {
        "providers": {**own.providers, **local.providers},
        "prices": {**own.prices, **local.prices},
    }
    store = local.store or own.store
    if store and "AISTRALE_STORE" not in os.environ:
        merged["AISTRALE_STORE"] = store
    merged["AISTRALE_SERVER"] = _server_settings({**own.server, **local.server})
    try:
        return Settings(**merged)
    except pydantic.ValidationError as error:
        _refuse("the environment", _faults(error))


def _server_settings(section: dict[str, Any]) -> ServerSettings:
    """`[server]` under the environment; a secret stands in no file of ours."""
    if "metrics_token" in section:
        _refuse("server.metrics_token", "set AISTRALE_METRICS_TOKEN instead")
    set_here = {
        name: value
        for name, value in section.items()
        if f"AISTRALE_{name.upper()}" not in os.environ
    }
    try:
        return ServerSettings(**set_here)
    except pydantic.ValidationError as error:
        _refuse("the settings of the server", _faults(error))
    except SettingsError as error:  # a list that is not one of JSON's
        _refuse("the settings of the server", str(error))


def _own_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("aistrale") / FILE_NAME


def _read(path: Path) -> _File:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return _File()
    except (OSError, UnicodeDecodeError) as error:
        _refuse(path, str(error))
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        _refuse(path, str(error))
    except pydantic.ValidationError as error:
        _refuse(path, _faults(error))


def _faults(error: pydantic.ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
    )


def _check_pairing(name: str, provider: ProviderSettings, own: _File) -> None:
    if provider.base_url is None or provider.api_key_env not in WELL_KNOWN_KEYS:
        return
    if provider.base_url.rstrip("/") in {u.rstrip("/") for u in own.allow_key_urls}:
        return
    _refuse(
        FILE_NAME,
        f"providers.{name} would send {provider.api_key_env} to {provider.base_url!r}; "
        f"to allow that, add the URL to allow_key_urls in {_own_file()}",
    )


def _refuse(path: Path | str, why: str) -> NoReturn:
    raise ConfigError(f"{path}: {why}")
