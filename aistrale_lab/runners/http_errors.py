"""From an HTTP answer to our own error, and what its headers say of limits.

Shared by all adapters, since OpenAI's error shape has become everybody's.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pydantic_core

from aistrale_lab.domain.chat import RateLimits
from aistrale_lab.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RunnerError,
    ServerError,
)
from aistrale_lab.logs import MASK, redact

RAW_KEPT = 2_000
"""Characters of an answer's body that an error keeps."""

TEXT_KEPT = 500
"""Characters of the provider's text that an error's message keeps."""

TELLING = 12
"""So many first characters of a key tell whose it is."""

REDIRECTED = (
    "the endpoint redirects, which is refused: the prompt would be sent elsewhere; "
    "set the final base URL"
)

_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|billing_|"
    r"credit balance is too low|insufficient (credits?|balance|funds)|out of credits",
    re.I,
)
_BAD_KEY = re.compile(
    r"api key not valid|(incorrect|invalid) api[ _]key|api_key_invalid", re.I
)
_CONTEXT = re.compile(
    r"context_length_exceeded|maximum context length|context window|"
    r"exceeds? the (available )?context|input (is )?too long|prompt is too long|"
    r".?inputs?.? tokens \+ .?max_new_tokens|too many tokens in the (prompt|input)|"
    r"`inputs` must have less than|maximum prompt length|"
    r"reduce the length of the (messages|prompt|input)|"
    r"input token count[^.]{0,40} exceeds the maximum",
    re.I,
)
_NO_MODEL = re.compile(
    r"model_not_(found|supported)|model[^.]{0,80}(does not exist|not found|is not supported|"
    r"unknown)|(unknown|no such) model|DeploymentNotFound",
    re.I,
)
_TOO_LARGE = re.compile(r"request too large|request_too_large", re.I)
_FILTER = re.compile(r"content_filter|content management policy", re.I)
_AMOUNT = (
    r"\d+(?:\.\d+)?\s*"
    r"(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h)(?![a-z])\s*"
)
_DURATION = re.compile(rf"\s*(?:\d+(?:\.\d+)?|(?:{_AMOUNT})+)\s*", re.I)
_IN_TEXT = re.compile(
    rf"(?:try again|retry|wait)\b[^.\d]{{0,20}}((?:{_AMOUNT})+)", re.I
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|[smh])?", re.I)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_TAGS = re.compile(r"(?is)<(script|style)\b.*?(?:</\1>|\Z)|<[^<>]*>")


def is_content_filter(status: int, body: bytes) -> bool:
    """Whether the provider's filter took the answer: an outcome, no error."""
    return status in (200, 400) and bool(_FILTER.search(_code_and_text(body)))


def error_from_answer(
    *, status: int, headers: Mapping[str, str], body: bytes, secret: str | None
) -> RunnerError:
    """The error that an answer of this status and body stands for.

    The provider's own text is in the message, without the key; `raw` holds the
    first 2 kB of the body, `retry_after` the seconds it asked to wait.
    """
    parsed = _parsed(body)
    code, text = _said(parsed, body)
    if 300 <= status < 400:
        code, text = "redirect", REDIRECTED
    kind, stops_lane = _kind(status, f"{code or ''} {text[:TEXT_KEPT]}", parsed)
    secrets = (secret,) if secret else ()
    text = redact(text, secrets)[:TEXT_KEPT]  # in this order, lest half a key remain
    return kind(
        f"{status}: {text}" if text else f"HTTP status {status}",
        status=status,
        code=code and redact(code, secrets),
        request_id=_header(headers, "x-request-id"),
        retry_after=retry_after(headers, body),
        raw=redact(body[: 4 * RAW_KEPT].decode("utf-8", "replace"), secrets)[:RAW_KEPT],
        stops_lane=stops_lane,
    )


def without_key(error: RunnerError, key: str | None) -> RunnerError:
    """The same error, with the key masked wherever the server echoed it."""
    error.__context__ = None  # a parser's error holds all that it could not read
    if key:
        error.message = _masked(error.message, key)
        error.args = (error.message,)
        error.code = error.code and _masked(error.code, key)
        error.raw = error.raw and _masked(error.raw, key)
        if error.wire:
            error.wire = _masked_part(error.wire.decode("latin-1"), key).encode(
                "latin-1"
            )
    return error


def _masked(text: str, key: str) -> str:
    """The text without the key, and without the beginning of it where it was cut."""
    return _masked_part(redact(text, (key,)), key)


def _masked_part(text: str, key: str) -> str:
    """Mask the key wherever TELLING or more of its first characters stand."""
    place = text.find(key[:TELLING])
    while place >= 0:
        end = place
        for letter in key:
            if text[end : end + 1] != letter:
                break
            end += 1
        text = text[:place] + MASK + text[end:]
        place = text.find(key[:TELLING], place + len(MASK))
    return text


def _kind(status: int, said: str, parsed: Any) -> tuple[type[RunnerError], bool | None]:
    """The class, and whether the lane stops where the class alone does not say."""
    if status == 401 or (status in (400, 403) and _BAD_KEY.search(said)):
        return AuthenticationError, None
    if status == 402 or (status in (400, 403, 429) and _QUOTA.search(said)):
        return QuotaError, None
    if status == 403:
        return PermissionDeniedError, None
    if status in (400, 413, 422) and _CONTEXT.search(said):
        return ContextLengthError, None
    if status == 404 or (status in (400, 422) and _NO_MODEL.search(said)):
        return ModelNotFoundError, None
    if status == 429 and _TOO_LARGE.search(said):
        return InvalidRequestError, None
    if status == 429:
        return RateLimitError, None
    if status in (408, 409, 425) or (status >= 500 and status != 501):
        return ServerError, None
    if 300 <= status < 400:
        return InvalidRequestError, True
    validation = isinstance(parsed, dict) and isinstance(parsed.get("detail"), list)
    return InvalidRequestError, True if status == 422 and validation else None


def retry_after(
    headers: Mapping[str, str], body: bytes = b"", *, now: datetime | None = None
) -> float | None:
    """Seconds the provider asks to wait, in any of the spellings seen; else None."""
    milliseconds = _number(_header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    for name in ("retry-after", "llm_provider-retry-after"):
        wait = _seconds_or_date(_header(headers, name), now or datetime.now(UTC))
        if wait is not None:
            return wait
    reset = re.search(r"r=0\b.*?\bt=(\d+)", _header(headers, "ratelimit") or "")
    if reset:
        return float(reset.group(1))
    parsed = _parsed(body)
    if isinstance(parsed, dict):
        estimated = _number(parsed.get("estimated_time"))
        if estimated is not None:
            return estimated
    asked = _IN_TEXT.search(_said(parsed, body)[1][:TEXT_KEPT])
    return duration_of(asked.group(1)) if asked else None


def rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The `x-ratelimit-*` headers; None if there are none."""
    found = {
        f"{what}_{unit}": _header(headers, f"x-ratelimit-{what}-{unit}")
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    }
    if not any(found.values()):
        return None
    return RateLimits(
        limit_requests=_count(found["limit_requests"]),
        remaining_requests=_count(found["remaining_requests"]),
        reset_requests=duration_of(found["reset_requests"]),
        limit_tokens=_count(found["limit_tokens"]),
        remaining_tokens=_count(found["remaining_tokens"]),
        reset_tokens=duration_of(found["reset_tokens"]),
    )


def duration_of(text: str | None) -> float | None:
    """Seconds of `174ms`, `6s`, `1m30.951s` or a bare number; None otherwise."""
    if not text or not _DURATION.fullmatch(text):
        return None
    parts = _PART.findall(text)
    return _number(
        sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts)
    )


def _seconds_or_date(value: str | None, now: datetime) -> float | None:
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def _number(value: Any) -> float | None:
    """A finite number that is not negative; None otherwise."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e9 else None


def _count(value: str | None) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        value = next((v for k, v in headers.items() if k.lower() == name), None)
    return value


def unwrapped(parsed: Any) -> Any:
    """The error in Google's list of one; anything else as it is."""
    if isinstance(parsed, list) and len(parsed) == 1 and isinstance(parsed[0], dict):
        return parsed[0] if "error" in parsed[0] else parsed
    return parsed


def _parsed(body: bytes) -> Any:
    try:
        return unwrapped(pydantic_core.from_json(body))
    except ValueError:
        return None


def _said(parsed: Any, body: bytes) -> tuple[str | None, str]:
    """The provider's code and text, wherever its error shape has them."""
    if not isinstance(parsed, dict):
        readable = _TAGS.sub(" ", body[: 16 * RAW_KEPT].decode("utf-8", "replace"))
        return None, " ".join(readable.split())
    error = parsed.get("error", parsed)
    if not isinstance(error, dict):
        return _code(parsed), str(error)
    text = error.get("message") or error.get("detail") or error.get("error") or ""
    return _code(error) or _code(parsed), str(text)


def _code(error: dict[str, Any]) -> str | None:
    for name in ("code", "type", "error_type"):
        if isinstance(error.get(name), str):
            return str(error[name])
    return None


def _code_and_text(body: bytes) -> str:
    code, text = _said(_parsed(body), body)
    return f"{code or ''} {text}"
