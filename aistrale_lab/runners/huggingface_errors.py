"""What the SDK and its HTTP client raise, as our own errors.

Every class that `huggingface_hub.errors` and `httpx2` export has a place in the
table; the order matters, since their trees cross.
"""

import aiohttp
import httpx2
from huggingface_hub import errors as sdk

from aistrale_lab.errors import (
    AuthenticationError,
    ConnectionFailedError,
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

_Kinds = tuple[type[Exception], ...]

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


def runner_error(error: Exception, *, where: str) -> RunnerError:
    """The error of ours that stands for one of theirs, with its innermost cause.

    `where` is the base URL that was called. Messages hold no header and no request,
    and so no key.
    """
    if isinstance(error, RunnerError):
        return error
    kind = next((ours for ours, theirs in _TABLE if isinstance(error, theirs)), None)
    return (kind or RunnerError)(f"{where}: {_cause(error)}")


def _cause(error: BaseException) -> str:
    """The class and text of what went wrong first, such as a refused connection."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
