"""What Hugging Face's servers say, and the SDK and its HTTP client raise, as ours."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2
from huggingface_hub import errors as sdk

from aistrale_lab.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ContextLengthError,
    DeadlineError,
    InvalidRequestError,
    MalformedAnswerError,
    ModelNotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RunnerError,
    ServerError,
    TruncatedAnswerError,
)
from aistrale_lab.runners.answers import error_status
from aistrale_lab.runners.http_errors import error_from_answer
from aistrale_lab.runners.openai_errors import UNREACHABLE

_Kinds = tuple[type[Exception], ...]

# The order matters, since their trees cross.
_TABLE: tuple[tuple[type[RunnerError], _Kinds], ...] = (
    (PermissionDeniedError, (sdk.GatedRepoError, sdk.DisabledRepoError)),
    (
        ModelNotFoundError,
        (
            sdk.RepositoryNotFoundError,
            sdk.RevisionNotFoundError,
            sdk.EntryNotFoundError,
        ),
    ),
    (
        AuthenticationError,
        (sdk.LocalTokenNotFoundError, sdk.OIDCError, sdk.DeviceCodeError),
    ),
    (RateLimitError, (sdk.OverloadedError,)),
    (TruncatedAnswerError, (sdk.IncompleteGenerationError,)),
    (
        InvalidRequestError,
        (
            sdk.ValidationError,
            sdk.BadRequestError,
            sdk.HFValidationError,
            sdk.HfUriError,
            httpx2.InvalidURL,
            httpx2.UnsupportedProtocol,
            httpx2.LocalProtocolError,
            httpx2.TooManyRedirects,
            httpx2.CookieConflict,
            aiohttp.InvalidURL,
        ),
    ),
    (
        ConnectionFailedError,
        (
            sdk.OfflineModeIsEnabled,
            httpx2.ConnectTimeout,
            httpx2.PoolTimeout,
            httpx2.NetworkError,
            httpx2.ProxyError,
            httpx2.RemoteProtocolError,
            aiohttp.ClientError,
        ),
    ),
    (DeadlineError, (httpx2.TimeoutException, TimeoutError)),
    (
        MalformedAnswerError,
        (httpx2.DecodingError, httpx2.StreamError, httpx2.SSEError),
    ),
    (
        ServerError,
        (sdk.TextGenerationError, sdk.HfHubHTTPError, httpx2.HTTPStatusError),
    ),
    (ConnectionFailedError, (httpx2.HTTPError, OSError)),
)

_NOT_CONNECTED = (
    httpx2.ConnectError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
)

_MEANT = {
    "validation": 422,
    "overloaded": 429,
    "generation": 500,
    "incomplete_generation": 500,
}
"""The HTTP status that text-generation-inference's `error_type` stands for."""

_TOO_LONG = re.compile(
    r"`inputs` (tokens \+ `max_new_tokens` )?must (be|have) (<|less)"
)
_NO_SUCH_MODEL = frozenset({"model_not_found", "model_not_supported"})
_REQUEST_IDS = ("x-request-id", "x-amzn-trace-id", "x-amz-cf-id")


def answer_error(
    status: int, *, headers: Mapping[str, str], body: bytes, secret: str | None
) -> RunnerError:
    """The error that an answer stands for, in the words of the router or of TGI."""
    if 300 <= status < 400:
        return _redirected(status, headers)
    said = _parsed(body)
    error = error_from_answer(
        status=_meant(said, status), headers=headers, body=body, secret=secret
    )
    error.status = status
    error.request_id = request_id(headers)
    return _refined(error)


def raise_for_event(event: dict[str, Any]) -> None:
    """Raise what an event, or an answer of status 200, says in its `error`."""
    if event.get("error"):
        body = json.dumps(event).encode()
        error = error_from_answer(
            status=_meant(event, error_status(event)),
            headers={},
            body=body,
            secret=None,
        )
        raise _refined(error)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The server's id of the call, by whichever name it goes."""
    return next((headers[name] for name in _REQUEST_IDS if name in headers), None)


def runner_error(error: Exception, *, where: str) -> RunnerError:
    """The error of ours that stands for one of theirs, with its innermost cause.

    `where` is the base URL that was called. Messages hold no header and no request,
    and so no key.
    """
    if isinstance(error, RunnerError):
        return error
    kind = next((ours for ours, theirs in _TABLE if isinstance(error, theirs)), None)
    causes = list(_causes(error))
    unreachable = any(isinstance(cause, _NOT_CONNECTED) for cause in causes)
    first, text = type(causes[-1]).__name__, str(causes[-1])
    return (kind or RunnerError)(
        f"{where}: {first}: {text}" if text else f"{where}: {first}",
        code=UNREACHABLE if unreachable else None,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from; last, say, the refused connection."""
    while error is not None:
        yield error
        error = error.__cause__


def _redirected(status: int, headers: Mapping[str, str]) -> RunnerError:
    target = urlsplit(headers.get("location", ""))
    where = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    return InvalidRequestError(
        f"the endpoint redirects{where} ({status}), which is refused: prompt and key "
        "would go elsewhere; set the base URL to the final address",
        status=status,
        request_id=request_id(headers),
        stops_lane=True,
    )


def _refined(error: RunnerError) -> RunnerError:
    """An error as its code and text tell, where its status says too little."""
    if type(error) is not InvalidRequestError:
        return error
    if error.code in _NO_SUCH_MODEL:
        return _as(ModelNotFoundError, error)
    if _TOO_LONG.search(error.message):
        return _as(ContextLengthError, error)
    return error


def _as(kind: type[RunnerError], error: RunnerError) -> RunnerError:
    return kind(
        error.message,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        raw=error.raw,
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _meant(said: Any, status: int) -> int:
    kind = said.get("error_type") if isinstance(said, dict) else None
    return _MEANT.get(kind, status) if isinstance(kind, str) else status
