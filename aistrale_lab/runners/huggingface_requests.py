"""How a request goes out to Hugging Face: address, headers and body, by the SDK.

`AsyncInferenceClient` knows providers, routes and the words of each task, and so it
builds every request. It does not get to send it: its answers are parsed into objects
that lack unknown fields, and a stream that breaks off looks like one that ended.
"""

import re
from collections.abc import Awaitable
from typing import Any, NoReturn
from urllib.parse import urlsplit

from huggingface_hub import AsyncInferenceClient
from huggingface_hub.inference._common import RequestParameters

from aistrale_lab.domain.chat import GenerateConfig, Request
from aistrale_lab.errors import ConfigError, InvalidRequestError, MissingKeyError
from aistrale_lab.runners.base import Endpoint, check_base_url, check_key

ROUTER = "https://router.huggingface.co"
"""Where calls go if the endpoint has no base URL of its own."""

_ON_ROUTER = re.compile(r"[\w.-]+/[\w.-]+(:[\w-]+)?")
_NOT_IN_TEXT_GENERATION = (
    "presence_penalty",
    "reasoning_effort",
    "tools",
    "tool_choice",
)
_NO_KEY = "none"


class HuggingFaceRequests:
    """Builds the requests of one endpoint; sends none."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.url = _base_url(endpoint)
        self._sdk = _sdk(endpoint, self.url)

    async def build(self, request: Request) -> RequestParameters:
        """Address, headers and JSON body of a request.

        Raises InvalidRequestError for a model name or a setting that cannot be
        sent there.
        """
        _check_model(request.model, on_hub=is_hub(self.url))
        if self._endpoint.api == "completions":
            built = await self._text_generation(request)
        else:
            built = await self._chat_completion(request)
        if _origin(built.url) != _origin(self.url):
            _refuse(f"the SDK would send to {built.url!r} instead of {self.url!r}")
        return built

    async def _chat_completion(self, request: Request) -> RequestParameters:
        config = request.config
        settings = config.sent()
        effort = settings.pop("reasoning_effort", None)
        limit = settings.pop("max_tokens", None)
        stop = settings.pop("stop_sequences", None)
        if config.tools is not None:
            settings["tools"] = list(config.tools)
        if request.stream:
            settings["stream_options"] = {"include_usage": True}
        built = await _unsent(
            self._sdk.chat_completion(
                [message.model_dump() for message in request.messages],
                model=request.model,
                stream=request.stream,
                stop=list(stop) if stop else None,
                **settings,
            )
        )
        assert isinstance(built.json, dict)  # of a chat, always
        if limit is not None:
            built.json[self._endpoint.max_tokens_field or "max_tokens"] = limit
        if effort is not None:
            built.json["reasoning_effort"] = effort
        built.json.update(config.extra)
        return built

    async def _text_generation(self, request: Request) -> RequestParameters:
        built = await _unsent(
            self._sdk.text_generation(
                prompt_text(request),
                stream=request.stream,
                **_parameters(request.config),
            )
        )
        assert isinstance(built.json, dict)  # of a text generation, always
        built.json.setdefault("parameters", {}).update(request.config.extra)
        return built


def is_hub(url: str) -> bool:
    """Whether a URL is of Hugging Face itself, where models are ORG/NAME."""
    host = urlsplit(url).hostname or ""
    return host.endswith((".huggingface.co", ".hf.co")) or host in (
        "huggingface.co",
        "hf.co",
    )


def prompt_text(request: Request) -> str:
    """The text that a completion continues: all messages, a blank line between."""
    return "\n\n".join(message.text for message in request.messages)


def _base_url(endpoint: Endpoint) -> str:
    if endpoint.base_url is not None:
        return check_base_url(endpoint.base_url, name=f"{endpoint.provider}.base_url")
    if endpoint.api == "completions":
        raise ConfigError(
            "Hugging Face's router only chats; text generation needs the base_url "
            "of an endpoint, such as a text-generation-inference server"
        )
    return ROUTER


def _sdk(endpoint: Endpoint, url: str) -> "_Builder":
    """The SDK, told its token outright: left to itself, it looks for one."""
    if endpoint.api == "responses":
        raise ConfigError("Hugging Face has no responses API; use chat or completions")
    key = endpoint.secret
    headers: dict[str, Any] = {"accept-encoding": "identity"}
    if key is None:
        if is_hub(url):
            raise MissingKeyError(
                f"{url} needs HF_TOKEN; embedded/nearest and its kin need no key"
            )
        key, headers["authorization"] = _NO_KEY, None  # None: the header is dropped
    ours = endpoint.provider == endpoint.kind
    check_key(key, variable="HF_TOKEN" if ours else f"the key of {endpoint.provider}")
    if endpoint.base_url is not None:
        return _Builder(base_url=url, token=key, headers=headers)
    if not key.startswith("hf_"):
        raise ConfigError("HF_TOKEN is no token of Hugging Face: those begin with hf_")
    return _Builder(provider="auto", token=key, headers=headers)


def _check_model(model: str, *, on_hub: bool) -> None:
    """Refuse what the SDK or a server could take for a URL or a path."""
    if "://" in model or ".." in model or model.startswith("/"):
        _refuse(f"model name {model!r} is not allowed: it must be no URL and no path")
    if on_hub and not _ON_ROUTER.fullmatch(model):
        _refuse(f"model name {model!r} is neither ORG/NAME nor ORG/NAME:PROVIDER")


def _parameters(config: GenerateConfig) -> dict[str, Any]:
    """Our settings in the words of text generation, whose server is strict.

    It wants a temperature above 0 and top_p below 1, and says so by other means:
    `do_sample` false is temperature 0, no top_p is top_p 1.
    """
    settings = config.sent()
    refused = [name for name in _NOT_IN_TEXT_GENERATION if name in settings]
    if refused:
        _refuse(f"text generation has no {', '.join(refused)}")
    temperature = settings.get("temperature")
    return {
        "details": True,
        "return_full_text": False,
        "do_sample": None if temperature is None else temperature > 0,
        "temperature": temperature or None,
        "top_p": None if config.top_p == 1 else config.top_p,
        "max_new_tokens": config.max_tokens,
        "stop": list(config.stop_sequences) if config.stop_sequences else None,
        "seed": config.seed,
        "frequency_penalty": config.frequency_penalty,
        "top_n_tokens": config.top_logprobs,
        "grammar": _grammar(config.response_format),
    }


def _grammar(response_format: dict[str, Any] | None) -> dict[str, Any] | None:
    if response_format is None or response_format.get("type") == "text":
        return None
    if response_format.get("type") != "json_schema":
        return response_format
    named = response_format.get("json_schema")
    if not isinstance(named, dict) or "schema" not in named:
        _refuse("response_format of type json_schema lacks json_schema.schema")
    return {"type": "json", "value": named["schema"]}


def _refuse(message: str) -> NoReturn:
    raise InvalidRequestError(message, stops_lane=True)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


class _Builder(AsyncInferenceClient):
    """The SDK as far as the point where it would send.

    `_inner_post` is private: all its tasks end there, and nothing public hands out
    a request or a raw answer. A test fails when a new version no longer calls it.
    """

    async def _inner_post(
        self, request_parameters: RequestParameters, *, stream: bool = False
    ) -> NoReturn:
        raise _Built(request_parameters)


class _Built(Exception):
    """Carries a finished request out of the SDK."""

    def __init__(self, parameters: RequestParameters) -> None:
        super().__init__("the request is built")
        self.parameters = parameters


async def _unsent(call: Awaitable[Any]) -> RequestParameters:
    """The request that a call of the SDK would send."""
    try:
        await call
    except _Built as built:
        return built.parameters
    except (KeyError, TypeError, ValueError) as error:
        _refuse(f"the SDK cannot make a request of it: {error!r}")
    raise AssertionError("the SDK sent the request by another way")
