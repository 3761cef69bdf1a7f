"""Which models the endpoints offer, asked all at once."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import LabError
from aistrale_lab.lab.endpoints import HUGGINGFACE_URL, resolve
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.registry import make_runner
from aistrale_lab.settings import Settings

PATIENCE = 15.0
"""Seconds that an endpoint has to list its models."""

UNLISTED = ("replay",)
"""Kinds without a list of models."""


class ModelList(Value):
    """The models, `provider/model`, and why a provider lists none."""

    models: tuple[str, ...]
    missing: dict[str, str]


async def list_models(
    settings: Settings, special: Mapping[str, dict[str, Any]]
) -> ModelList:
    """Ask every endpoint that is set up for its models, in the order of providers.

    An endpoint that fails or has no key stands in `missing`, with the reason.
    """
    providers = dict.fromkeys(
        ["embedded", "openai", "huggingface", *settings.providers]
    )
    asked = [p for p in providers if p not in UNLISTED]
    found = await asyncio.gather(*(_listed(p, settings, special) for p in asked))
    models: list[str] = []
    missing: dict[str, str] = {}
    for provider, listed in zip(asked, found, strict=True):
        if isinstance(listed, str):
            missing[provider] = listed
        else:
            models += [f"{provider}/{name}" for name in listed]
    return ModelList(models=tuple(models), missing=missing)


async def _listed(
    provider: str, settings: Settings, special: Mapping[str, dict[str, Any]]
) -> list[str] | str:
    """The names of a provider's models, or why there are none."""
    ref = ModelRef(provider=provider, model="any")
    try:
        endpoint = resolve(ref, settings, concurrency=1, special=special)
        runner = make_runner(_speaking_openai(endpoint))
        names = getattr(runner, "models", None)
        if names is None:
            return "lists no models"
        try:
            async with asyncio.timeout(PATIENCE):
                return list(await names())
        finally:
            await runner.close()
    except LabError as error:
        return error.message
    except TimeoutError:
        return f"did not answer within {PATIENCE:.0f} s"


def _speaking_openai(endpoint: Endpoint) -> Endpoint:
    """Hugging Face lists its models by OpenAI's API."""
    if endpoint.kind != "huggingface":
        return endpoint
    base_url = endpoint.base_url or HUGGINGFACE_URL
    return endpoint.model_copy(update={"kind": "openai", "base_url": base_url})
