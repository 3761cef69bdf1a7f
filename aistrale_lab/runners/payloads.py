"""A request in the words of OpenAI's three APIs."""

from typing import Any
from urllib.parse import urlsplit

from aistrale_lab.domain.chat import Request
from aistrale_lab.runners.base import Endpoint

PATHS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
}


def to_payload(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    """The JSON body of a call; `extra` goes in last, as it is."""
    make = {"chat": _chat, "completions": _completions, "responses": _responses}
    payload = make[endpoint.api](request, endpoint)
    return {**payload, **request.config.extra}


def _chat(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "model": request.model,
        "messages": [message.model_dump() for message in request.messages],
    }
    settings = request.config.sent()
    limit = settings.pop("max_tokens", None)
    if limit is not None:
        payload[endpoint.max_tokens_field or _limit_field(endpoint)] = limit
    return _streamed(payload | _stop(settings), request)


def _completions(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "model": request.model,
        "prompt": "\n\n".join(message.text for message in request.messages),
    }
    return _streamed(payload | _stop(request.config.sent()), request)


def _responses(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "model": request.model,
        "input": [message.model_dump() for message in request.messages],
    }
    settings = request.config.sent()
    limit = settings.pop("max_tokens", None)
    if limit is not None:
        payload[endpoint.max_tokens_field or "max_output_tokens"] = limit
    effort = settings.pop("reasoning_effort", None)
    if effort is not None:
        payload["reasoning"] = {"effort": effort}
    shape = settings.pop("response_format", None)
    if shape is not None:
        payload["text"] = {"format": _flat(shape)}
    if request.stream:
        payload["stream"] = True
    return payload | _stop(settings)


def _flat(shape: dict[str, Any]) -> dict[str, Any]:
    """The Responses API has the schema's fields beside `type`, not inside."""
    inner = shape.get("json_schema")
    return {"type": shape.get("type"), **inner} if isinstance(inner, dict) else shape


def _stop(settings: dict[str, Any]) -> dict[str, Any]:
    sequences = settings.pop("stop_sequences", None)
    return settings if sequences is None else settings | {"stop": list(sequences)}


def _streamed(payload: dict[str, Any], request: Request) -> dict[str, Any]:
    if request.stream:
        payload["stream"] = True
        payload["stream_options"] = {"include_usage": True}
    return payload


def _limit_field(endpoint: Endpoint) -> str:
    """OpenAI itself has renamed the limit; everybody else keeps the old name."""
    host = urlsplit(endpoint.base_url).hostname if endpoint.base_url else None
    at_openai = host is None or host == "api.openai.com"
    return "max_completion_tokens" if at_openai else "max_tokens"
