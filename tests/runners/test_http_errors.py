"""HTTP answers as errors of ours, and what headers and texts say of waits."""

import json
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aistrale_lab.domain.chat import RateLimits
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.http_errors import (
    RAW_KEPT,
    TEXT_KEPT,
    duration_of,
    error_from_answer,
    is_content_filter,
    rate_limits,
    retry_after,
    without_key,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = "sk-SECRETSECRET0123"


def error_of(status: int, body: Any, **headers: str) -> RunnerError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_answer(status=status, headers=headers, body=content, secret=KEY)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("174ms", 0.174),
        ("6s", 6.0),
        ("1m30.951s", 90.951),
        ("2h", 7200.0),
        ("6m0s", 360.0),
        ("12", 12.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-3s", None),
        ("nan", None),
        ("1e9999", None),
        ("9" * 400, None),
        ("20 seconds", 20.0),
        ("2 minutes 1 s", 121.0),
        ("5 monkeys", None),
    ],
)
def test_durations_come_in_many_spellings(
    text: str | None, seconds: float | None
) -> None:
    assert duration_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7"}, b"", 7.0),
        ({"Retry-After": "7"}, b"", 7.0),
        ({"retry-after": "1.5"}, b"", 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, b"", 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT"}, b"", 9.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, b"", 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:09"}, b"", 9.0),
        ({"llm_provider-retry-after": "3"}, b"", 3.0),
        ({"ratelimit": '"api";r=0;t=55'}, b"", 55.0),
        ({"ratelimit": '"api";r=10;t=55'}, b"", None),
        ({}, b'{"error": "loading", "estimated_time": 20.0}', 20.0),
        ({}, b'{"error": {"message": "Please try again in 174ms."}}', 0.174),
        ({}, b'{"error": {"message": "try again in 1m2.5s"}}', 62.5),
        ({}, b"Please retry after 20 seconds.", 20.0),
        ({}, b'{"message": "wait 3 s"}', 3.0),
        ({"retry-after": "-1"}, b"", None),
        ({"retry-after": "nan"}, b"", None),
        ({"retry-after": "inf"}, b"", None),
        ({"retry-after": "tomorrow"}, b"", None),
        ({"retry-after": "tomorrow"}, b'{"message": "wait 3 s"}', 3.0),
        ({}, b'{"estimated_time": "soon"}', None),
        ({}, b"[1]", None),
        ({}, b"", None),
    ],
    ids=str,
)
def test_a_wait_is_found_wherever_it_is_told(
    headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    assert retry_after(headers, body, now=NOW) == pytest.approx(seconds)


@given(some.text(max_size=30), some.binary(max_size=60))
def test_no_header_and_no_body_breaks_the_reading(text: str, body: bytes) -> None:
    names = ("retry-after", "retry-after-ms", "ratelimit", "x-ratelimit-reset-tokens")
    headers = dict.fromkeys(names, text)

    wait = retry_after(headers, body)
    rate_limits(headers)
    error = error_of(429, body, **{"retry-after": text})

    assert wait is None or 0 <= wait < float("inf")
    assert error.status == 429


def test_limits_are_read_from_the_headers() -> None:
    limits = rate_limits(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m30.951s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6ms",
        }
    )

    assert limits == RateLimits(
        limit_requests=60,
        remaining_requests=0,
        reset_requests=90.951,
        remaining_tokens=149984,
        reset_tokens=0.006,
    )
    assert rate_limits({"content-type": "text/html"}) is None


@pytest.mark.parametrize(
    ("status", "body", "name", "stops"),
    [
        (401, {}, "AuthenticationError", True),
        (402, {}, "QuotaError", True),
        (403, {}, "PermissionDeniedError", True),
        (403, {"error": {"code": "insufficient_quota"}}, "QuotaError", True),
        (404, {}, "ModelNotFoundError", True),
        (400, {"error": {"code": "DeploymentNotFound"}}, "ModelNotFoundError", True),
        (400, {}, "InvalidRequestError", False),
        (413, {"error": "prompt is too long"}, "ContextLengthError", False),
        (422, {"error": "input is too long"}, "ContextLengthError", False),
        (422, {"detail": [{"msg": "x"}]}, "InvalidRequestError", True),
        (422, {"detail": "bad sample"}, "InvalidRequestError", False),
        (429, {}, "RateLimitError", False),
        (429, {"error": {"type": "insufficient_quota"}}, "QuotaError", True),
        (429, {"error": {"message": "Request too large"}}, "InvalidRequestError", 0),
        (408, {}, "ServerError", False),
        (500, {}, "ServerError", False),
        (501, {}, "InvalidRequestError", False),
        (529, {}, "ServerError", False),
        (302, {}, "InvalidRequestError", True),
    ],
    ids=str,
)
def test_status_and_text_make_the_class(
    status: int, body: Any, name: str, stops: bool
) -> None:
    error = error_of(status, body)

    assert type(error).__name__ == name
    assert error.stops_lane is bool(stops)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "no", "code": "c"}}, "400: no", "c"),
        ({"error": {"message": "no", "type": "t", "code": None}}, "400: no", "t"),
        ({"error": "no", "error_type": "validation"}, "400: no", "validation"),
        ({"message": "no"}, "400: no", None),
        ({"detail": "no"}, "400: no", None),
        ({"error": {}}, "HTTP status 400", None),
        (b"<script>x</script><p>no</p>", "400: no", None),
        (b"", "HTTP status 400", None),
        (b"\xff", "400: \ufffd", None),
    ],
    ids=str,
)
def test_the_text_is_found_in_every_shape(
    body: Any, message: str, code: str | None
) -> None:
    error = error_of(400, body)

    assert (error.message, error.code) == (message, code)


def test_long_texts_are_cut_after_the_key_is_masked() -> None:
    padding = "x" * (TEXT_KEPT - 5)

    error = error_of(500, {"error": {"message": f"{padding}{KEY}"}})
    long = error_of(500, b"y" * 100_000)

    assert "sk-SE" not in error.message
    assert len(long.message) <= TEXT_KEPT + 5
    assert len(long.raw or "") == RAW_KEPT


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"code": "content_filter"}}, True),
        (200, {"error": {"message": "content management policy"}}, True),
        (500, {"error": {"code": "content_filter"}}, False),
        (400, {"error": {"message": "no"}}, False),
    ],
)
def test_a_content_filter_is_told_by_code_or_text(
    status: int, body: Any, expected: bool
) -> None:
    assert is_content_filter(status, json.dumps(body).encode()) is expected


def test_a_key_is_masked_in_every_part_of_an_error() -> None:
    error = RunnerError(f"a {KEY}", code=KEY, raw=f"r {KEY}", wire=f"w {KEY}".encode())

    without_key(error, KEY)

    assert error.args == (error.message,) == ("a [redacted]",)
    assert error.raw == "r [redacted]" and error.code == "[redacted]"
    assert error.wire == b"w [redacted]"


@pytest.mark.parametrize(
    "hostile", ["1" * 40 + "!", "1s" * 40 + "!", "1 " * 40 + "!", "9" * 100_000 + "!"]
)
def test_a_hostile_header_is_read_at_once(hostile: str) -> None:
    began = perf_counter()

    assert duration_of(hostile) is None
    assert rate_limits({"x-ratelimit-reset-tokens": hostile}) is not None
    assert perf_counter() - began < 0.5


@pytest.mark.parametrize(
    "piece", [b"<", b"<script>", b"wait 1s ", b"retry ", b"model ", b"<style></", b"1s"]
)
def test_a_hostile_body_is_read_at_once(piece: bytes) -> None:
    body = piece * (64 * 1024 // len(piece))
    began = perf_counter()

    error_of(400, body)
    error_of(429, {"error": {"message": body.decode()}})
    is_content_filter(400, body)

    assert perf_counter() - began < 0.5


def test_a_rate_limit_that_names_the_billing_page_is_no_lack_of_credit() -> None:
    text = "Rate limit reached. Visit https://platform.openai.com/account/billing."
    body = json.dumps({"error": {"message": text, "code": "rate_limit_exceeded"}})

    error = error_from_answer(status=429, headers={}, body=body.encode(), secret=None)

    assert type(error).__name__ == "RateLimitError"
