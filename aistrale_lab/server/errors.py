"""One envelope for everything that goes wrong; what nobody expected stays in the log.

::

    {"error": {"status_code", "error_type", "message", "request_id", "fields"}}

`fields` stands in a 422 only. What was sent is never repeated: it may be a password.
What a provider said is not passed on: its class is, how long it asks to wait, whether
it refused the server's key, and the id of the request, under which the log has the rest.
"""

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from aistrale_lab.errors import LabError, RunnerError, StoreError, ThrottledError
from aistrale_lab.server import openai_errors
from aistrale_lab.server.pages.errors import error_page, wants_page

STORE_RETRY_AFTER = 5
"""Seconds after which a client may ask again when the database is away."""

NOT_THE_CALLERS = frozenset({401, 403})
"""A provider refused the server's own key: that is no fault of who asked."""


class Field(BaseModel):
    """One field that is wrong, such as `body.name`, and why."""

    field: str
    message: str


class Fault(BaseModel):
    """What went wrong."""

    status_code: int
    error_type: str
    message: str
    request_id: str
    fields: list[Field] | None = None


class Envelope(BaseModel):
    """Every answer that is no success."""

    error: Fault


def describe_errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route, for its OpenAPI document."""
    return {code: {"model": Envelope} for code in codes}


def add_handlers(app: FastAPI) -> None:
    """Answer errors in the envelope."""
    app.add_exception_handler(LabError, _lab_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def envelope(
    request: Request,
    status_code: int,
    error_type: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    fields: list[dict[str, str]] | None = None,
) -> Response:
    """The answer to a request that failed.

    To a browser it is a page; to OpenAI's clients it has their form.
    """
    fault: dict[str, Any] = {
        "status_code": status_code,
        "error_type": error_type,
        "message": message,
        "request_id": request_id_of(request),
    }
    if fields is not None:
        fault["fields"] = fields
    if wants_page(request):
        return error_page(request, fault, headers or {})
    body: dict[str, Any] = {"error": fault}
    if request.url.path.startswith(openai_errors.PATHS):
        told = "; ".join(f"{one['field']}: {one['message']}" for one in fields or ())
        status_code = openai_errors.status_in_openai(status_code)
        body = openai_errors.error_in_openai(status_code, error_type, told or message)
    return JSONResponse(body, status_code, headers=dict(headers or {}))


def fault_of(request: Request, error: LabError) -> dict[str, Any]:
    """The fault of an answer that has begun already."""
    return {
        "status_code": status_of(error),
        "error_type": type(error).__name__,
        "message": message_of(error),
        "request_id": request_id_of(request),
    }


def request_id_of(request: Request) -> str:
    """The id of the request, which the answer and the log both name."""
    return str(request.state.request_id)


def status_of(error: LabError) -> int:
    """The status that a caller is told."""
    return 502 if _refuses_our_key(error) else error.status_code


def message_of(error: LabError) -> str:
    """What a caller is told in words: of a provider's or the database's words, none."""
    if isinstance(error, RunnerError) and _refuses_our_key(error):
        whom = f"the provider {error.provider!r}" if error.provider else "the provider"
        return (
            f"{whom} refused the key that the server has for it: "
            f"{type(error).__name__}; who runs the server can change that"
        )
    if isinstance(error, RunnerError):
        return f"the provider's call failed: {type(error).__name__}"
    if isinstance(error, StoreError):
        return "the store cannot be used at the moment"
    return error.message


def headers_of(error: LabError) -> dict[str, str]:
    """`Retry-After` and `WWW-Authenticate`, where they say something."""
    if isinstance(error, StoreError):
        return {"retry-after": str(STORE_RETRY_AFTER)}
    retry_after = getattr(error, "retry_after", None)
    if isinstance(error, ThrottledError) or retry_after is not None:
        return {"retry-after": str(max(1, math.ceil(retry_after or 1)))}
    if status_of(error) == 401:
        return {"www-authenticate": "Bearer"}
    return {}


def log_error(request: Request, error: BaseException) -> None:
    """Keep for the operator what the caller is not told."""
    provider = getattr(error, "provider", None)
    request.app.state.bench.log.logger.error(
        "request_failed",
        request_id=request_id_of(request),
        method=request.method,
        path=request.url.path,
        **({"provider": provider} if provider else {}),
        exc_info=error,
    )


def _refuses_our_key(error: LabError) -> bool:
    return isinstance(error, RunnerError) and error.status_code in NOT_THE_CALLERS


async def _lab_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LabError)
    if isinstance(error, RunnerError | StoreError):
        log_error(request, error)
    return envelope(
        request,
        status_of(error),
        type(error).__name__,
        message_of(error),
        headers=headers_of(error),
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = [
        {
            "field": ".".join(str(part) for part in fault["loc"]),
            "message": _in_words(fault),
        }
        for fault in error.errors()
    ]
    said = "the request is not valid"
    return envelope(request, 422, "ValidationError", said, fields=fields)


def _in_words(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "json_invalid":
        return f"no valid JSON: {fault['ctx']['error']}"
    return str(fault["msg"])


async def _http_error(request: Request, error: Exception) -> Response:
    """What FastAPI refuses by itself, such as a path or a method that is not served."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        error.headers = {"allow": _methods_of(request)}
    names = {404: "NotFoundError", 405: "MethodNotAllowedError", 413: "TooLargeError"}
    kind = names.get(error.status_code, "RequestError")
    return envelope(
        request, error.status_code, kind, str(error.detail), headers=error.headers
    )


def _methods_of(request: Request) -> str:
    """All methods of a path; FastAPI names those of the first route that has it."""
    path, methods = request.url.path, request.app.state.methods
    found = {method for pattern, method in methods if pattern.match(path)}
    return ", ".join(sorted(found | ({"HEAD"} if "GET" in found else set())))
