"""What a user may have the server ask, and of whom: nothing that costs without limit,
and nothing that makes it, or a provider, fetch what the user chose.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aistrale_lab.domain.chat import GenerateConfig, Message
from aistrale_lab.errors import (
    UnknownProviderError,
    ValidationError,
    one_of,
)
from aistrale_lab.lab.asking import Asked
from aistrale_lab.settings import Settings

MODEL = r"^[A-Za-z0-9_.\-:@/]{1,200}$"
"""What a name of a model, with its provider's, is made of."""

_MODEL = re.compile(MODEL)
_HUGGINGFACE = re.compile(r"^[A-Za-z0-9_.\-]+/[A-Za-z0-9_.\-]+(:[A-Za-z0-9_\-]+)?$")

EXTRA = frozenset(
    {
        "chat_template_kwargs",
        "logit_bias",
        "min_p",
        "parallel_tool_calls",
        "repetition_penalty",
        "top_k",
        "verbosity",
    }
)
"""Settings that go to the provider as they are. Others could ask for more answers, for
a longer or dearer one, or for what the provider would fetch.
"""


def providers_of(settings: Settings) -> dict[str, str]:
    """The providers that the server's settings name, with their kinds.

    `replay` is none of them: it reads files.
    """
    found = {"embedded": "embedded"}
    if settings.openai_api_key or settings.openai_base_url:
        found["openai"] = "openai"
    if settings.hf_token or settings.hf_base_url:
        found["huggingface"] = "huggingface"
    found |= {name: own.kind for name, own in settings.providers.items()}
    return {name: kind for name, kind in found.items() if kind != "replay"}


def check_model(name: str, providers: Mapping[str, str]) -> None:
    """Refuse a model of no provider of the server's, or whose name is an address."""
    odd = "://" in name or ".." in name or name.startswith("/")
    if odd or not _MODEL.fullmatch(name):
        raise ValidationError("model: the name of no model: PROVIDER/MODEL")
    provider, _, model = name.partition("/")
    if provider not in providers:
        raise UnknownProviderError(
            f"unknown provider {provider!r}; known providers: {one_of(providers)}"
        )
    if model.startswith("/"):
        raise ValidationError("model: the name of no model: PROVIDER/MODEL")
    if providers[provider] == "huggingface" and not _HUGGINGFACE.fullmatch(model):
        raise ValidationError(
            f"model: one of {provider} is {provider}/ORG/NAME or "
            f"{provider}/ORG/NAME:PROVIDER"
        )


def limited(config: GenerateConfig, most: int) -> GenerateConfig:
    """The settings with a limit of tokens; raises ValidationError if too much is asked.

    `most` holds where nothing is said.
    """
    unknown = config.extra.keys() - EXTRA
    if unknown:
        raise ValidationError(
            f"config.extra: {one_of(unknown)} cannot be set here; "
            f"what can: {one_of(EXTRA)}"
        )
    for tool in config.tools or ():
        if tool.get("type") != "function":
            raise ValidationError("config.tools: a tool is of type 'function'")
    if config.max_tokens is None:
        return config.model_copy(update={"max_tokens": most})
    if config.max_tokens > most:
        raise ValidationError(f"config.max_tokens: an answer may have {most} tokens")
    return config


def check_asked(asked: Asked, *, most_tokens: int) -> Asked:
    """The request with a limit of tokens; raises ValidationError for what is refused."""
    check_contents(asked.messages)
    return asked.model_copy(update={"config": limited(asked.config, most_tokens)})


def check_contents(messages: Iterable[Message]) -> None:
    """Refuse parts of a message that a provider would have to fetch, or run."""
    for message in messages:
        for call in message.tool_calls or ():
            if call.get("type") != "function":
                raise ValidationError(
                    "messages: a call of a tool is of type 'function'"
                )
        if isinstance(message.content, list):
            for part in message.content:
                _check_part(part)


def _check_part(part: Mapping[str, Any]) -> None:
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return
    if kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        return
    image = part.get("image_url") if kind == "image_url" else None
    url = image.get("url") if isinstance(image, dict) else None
    if isinstance(url, str) and url.startswith("data:image/"):
        return
    raise ValidationError(
        "messages: a part of a content is a text, an input_audio, or an image_url "
        "that holds the image itself (data:image/...)"
    )
