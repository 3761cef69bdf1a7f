"""What the answers of all APIs have in common: JSON, usage, finish reasons."""

import json
from typing import Any

import pydantic_core

from aistrale_lab.domain.chat import Chunk, FinishReason, Usage
from aistrale_lab.errors import MalformedAnswerError, RunnerError, TruncatedAnswerError
from aistrale_lab.runners.http_errors import (
    RAW_KEPT,
    error_from_answer,
    is_content_filter,
    unwrapped,
)

LARGEST = 2**63 - 1

_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "completed": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "max_output_tokens": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
}


_STATUSES = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "billing_not_active": 402,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "context_length_exceeded": 400,
    "invalid_argument": 400,
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "too_many_requests": 429,
}
"""Words for errors inside an answer of status 200, as the statuses they stand for."""


def parse_json(payload: bytes) -> dict[str, Any]:
    """The JSON object of an answer or event; raises MalformedAnswerError."""
    try:
        parsed = pydantic_core.from_json(payload)
    except ValueError:
        parsed = _parse_slowly(payload)
    parsed = unwrapped(parsed)
    if not isinstance(parsed, dict):
        raise malformed(f"a JSON {type(parsed).__name__} is no answer", payload)
    return parsed


def _parse_slowly(payload: bytes) -> Any:
    """The standard parser takes lone surrogates, which the fast one refuses."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        kind = "HTML" if payload.lstrip()[:1] == b"<" else "no JSON"
        raise malformed(f"the answer is {kind}", payload) from None


def malformed(what: str, payload: bytes) -> MalformedAnswerError:
    """An error that keeps the beginning of what came."""
    raw = payload[:RAW_KEPT].decode("utf-8", "replace")
    return MalformedAnswerError(f"{what}: {raw[:200]!r}", raw=raw)


def finish_reason(said: Any) -> FinishReason | None:
    """The provider's word in ours; None if it said nothing."""
    if said is None or said == "":
        return None
    return _REASONS.get(str(said).lower(), FinishReason.UNKNOWN)


def text_or_none(value: Any) -> str | None:
    """A field that is to be text; None if it is empty or something else."""
    return value if isinstance(value, str) and value else None


def usage_of(said: Any) -> tuple[Usage, tuple[str, ...]]:
    """The token counts, and the flags for those that are missing or no counts."""
    if not isinstance(said, dict):
        return Usage(), ("usage_missing",)
    broken = False

    def count(*names: str, inside: str | None = None) -> int | None:
        nonlocal broken
        place = said.get(inside) if inside else said
        if not isinstance(place, dict):
            return None
        value = next((place[name] for name in names if name in place), None)
        if value is None:
            return None
        if type(value) is int and 0 <= value <= LARGEST:
            return value
        broken = True
        return None

    usage = Usage.model_construct(
        input_tokens=count("prompt_tokens", "input_tokens"),
        output_tokens=count("completion_tokens", "output_tokens"),
        cached_input_tokens=_first(
            count("cached_tokens", inside="prompt_tokens_details"),
            count("cached_tokens", inside="input_tokens_details"),
        ),
        reasoning_tokens=_first(
            count("reasoning_tokens", inside="completion_tokens_details"),
            count("reasoning_tokens", inside="output_tokens_details"),
        ),
    )
    flags: tuple[str, ...] = ("usage_invalid",) if broken else ()
    if usage.input_tokens is None and usage.output_tokens is None and not broken:
        flags = ("usage_missing",)
    return usage, flags


def raise_for_error(event: dict[str, Any], *, secret: str | None = None) -> None:
    """Raise what an error body or event of status 200 says, if it is one."""
    if not is_error(event):
        return
    body = json.dumps(event).encode()
    status = error_status(event)
    raise error_from_answer(status=status, headers={}, body=body, secret=secret)


def is_error(event: dict[str, Any]) -> bool:
    """Whether a body or event is an error; older vLLM says so by its `object`."""
    return bool(event.get("error")) or event.get("object") == "error"


def is_filter_error(event: dict[str, Any]) -> bool:
    """Whether an error says that the content filter took the rest of the answer."""
    return is_error(event) and is_content_filter(200, json.dumps(event).encode())


def error_status(event: dict[str, Any]) -> int:
    """The HTTP status that an error event names, by number or by word; else 500."""
    error = event.get("error", event)
    if not isinstance(error, dict):
        return 500
    said = [str(error.get(name)) for name in ("code", "status", "type")]
    numbers = (int(one) for one in said if one.isdecimal() and len(one) == 3)
    number = next((one for one in numbers if 400 <= one < 600), None)
    words = (_STATUSES.get(one.lower()) for one in said)
    return number or next((status for status in words if status), 500)


def filtered(body: bytes) -> Chunk:
    """The chunk of an answer that the provider's filter kept back."""
    usage, flags = usage_of(None)
    return Chunk(
        finish_reason=FinishReason.CONTENT_FILTER,
        usage=usage,
        raw=body.decode("utf-8", "replace"),
        flags=flags,
    )


def truncated(wire: bytes) -> RunnerError:
    """The error of a stream that ended before the provider said it was complete."""
    return TruncatedAnswerError(
        "the stream ended without a finish reason",
        raw=wire[:RAW_KEPT].decode("utf-8", "replace"),
        wire=wire,
    )


def merged(into: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add a delta: texts are joined, lists merged by index, the rest replaced."""
    for name, value in piece.items():
        old = into.get(name)
        if isinstance(value, str) and isinstance(old, str) and name not in _REPLACED:
            into[name] = old + value
        elif isinstance(value, dict) and isinstance(old, dict):
            merged(old, value)
        elif isinstance(value, list):
            into[name] = _merged_list(old if isinstance(old, list) else [], value)
        elif value is not None or name not in into:
            into[name] = value


_REPLACED = frozenset({"role", "id", "type", "name", "index"})


def _merged_list(old: list[Any], pieces: list[Any]) -> list[Any]:
    by_index = {
        item["index"]: item
        for item in old
        if isinstance(item, dict) and "index" in item
    }
    for piece in pieces:
        known = by_index.get(piece.get("index")) if isinstance(piece, dict) else None
        if known is None:
            old.append(piece)
        else:
            merged(known, piece)
    return old


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
