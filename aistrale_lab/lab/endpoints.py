"""From a provider's name to the endpoint that its calls go to."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.errors import MissingKeyError, UnknownProviderError, one_of
from aistrale_lab.runners.base import Endpoint, check_base_url, check_key
from aistrale_lab.runners.registry import known_kinds
from aistrale_lab.settings import ProviderSettings, Settings

OPENAI_URL = "https://api.openai.com/v1"
HUGGINGFACE_URL = "https://router.huggingface.co/v1"
KEYLESS = (
    "without a key: embedded/nearest and the other models in the box, replay/FILE, "
    "or a local server under [providers.NAME] in aistrale.toml"
)
_BUILT_IN = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "huggingface": ("HF_TOKEN", "HF_BASE_URL"),
}


def resolve(
    ref: ModelRef,
    settings: Settings,
    *,
    concurrency: int,
    special: Mapping[str, dict[str, Any]],
) -> Endpoint:
    """Where a model's calls go, and with which key.

    `special` holds the options of the kinds that need more than a URL (embedded's
    server, replay's records). Raises UnknownProviderError, MissingKeyError or
    ConfigError before anything is sent.
    """
    provider = ref.provider
    own = settings.providers.get(provider)
    if provider in _BUILT_IN:
        return _built_in(provider, own, settings, concurrency)
    if own is not None:
        return _named(provider, own, settings, concurrency)
    if provider in known_kinds():
        return Endpoint(
            provider=provider,
            kind=provider,
            concurrency=concurrency,
            options=special.get(provider, {}),
        )
    names = {*_BUILT_IN, *known_kinds(), *settings.providers}
    raise UnknownProviderError(
        f"unknown provider {provider!r}; known providers: {one_of(names)}"
    )


def recorded_url(endpoint: Endpoint) -> str | None:
    """The base URL that is stored with a run; None where there is none to speak of."""
    if endpoint.base_url is not None:
        return endpoint.base_url
    return {"openai": OPENAI_URL, "huggingface": HUGGINGFACE_URL}.get(endpoint.kind)


def _built_in(
    provider: str, own: ProviderSettings | None, settings: Settings, concurrency: int
) -> Endpoint:
    own = own or ProviderSettings(kind=provider)
    key_variable, url_variable = _BUILT_IN[provider]
    if provider == "openai":
        key, url = settings.openai_api_key, settings.openai_base_url
    else:
        key, url = settings.hf_token, settings.hf_base_url
    if own.api_key_env:
        key_variable, key = own.api_key_env, settings.provider_key(own)
    if own.base_url:
        url, url_variable = own.base_url, f"providers.{provider}.base_url"
    if key is None and not url:
        raise MissingKeyError(f"{key_variable} is not set; {KEYLESS}")
    return _endpoint(
        provider,
        own,
        url=check_base_url(url, name=url_variable) if url else None,
        key=_checked(key, key_variable),
        concurrency=concurrency,
    )


def _named(
    provider: str, own: ProviderSettings, settings: Settings, concurrency: int
) -> Endpoint:
    key = settings.provider_key(own)
    if own.api_key_env and key is None:
        raise MissingKeyError(
            f"{own.api_key_env} is not set, the key of provider {provider!r}; {KEYLESS}"
        )
    name = f"providers.{provider}.base_url"
    return _endpoint(
        provider,
        own,
        url=check_base_url(own.base_url, name=name) if own.base_url else None,
        key=_checked(key, own.api_key_env or ""),
        concurrency=concurrency,
    )


def _endpoint(
    provider: str,
    own: ProviderSettings,
    *,
    url: str | None,
    key: SecretStr | None,
    concurrency: int,
) -> Endpoint:
    return Endpoint(
        provider=provider,
        kind=own.kind,
        base_url=url,
        key=key,
        api=own.api,
        max_tokens_field=own.max_tokens_field,
        rpm=own.rpm,
        tpm=own.tpm,
        concurrency=concurrency,
        options=own.options,
    )


def _checked(key: SecretStr | None, variable: str) -> SecretStr | None:
    if key is None:
        return None
    return SecretStr(check_key(key.get_secret_value(), variable=variable))
