"""What the openai SDK and its transport raise, as our own errors.

The SDK's exceptions hold the request and with it the key: they are replaced, never
chained, so that neither a traceback nor a pickle can show it.
"""

import aiohttp
import httpx2
import openai

from aistrale_lab.errors import (
    AuthenticationError,
    ConnectionFailedError,
    DeadlineError,
    InvalidRequestError,
    MalformedAnswerError,
    RunnerError,
    ServerError,
)
from aistrale_lab.logs import redact
from aistrale_lab.runners.http_errors import error_from_answer

FOREIGN = (
    openai.OpenAIError,
    openai.InvalidWebhookSignatureError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    ValueError,
)
"""Everything that the SDK and the libraries below it may raise in a call."""

UNREACHABLE = "unreachable"
"""The code of an endpoint to which no connection could be made."""

_NOT_CONNECTED = (
    httpx2.ConnectError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
)

_KINDS: tuple[tuple[tuple[type[Exception], ...], type[RunnerError]], ...] = (
    ((openai.OAuthError,), AuthenticationError),
    ((httpx2.ConnectTimeout, httpx2.ConnectError), ConnectionFailedError),
    ((httpx2.ProxyError, httpx2.PoolTimeout), ConnectionFailedError),
    ((openai.APITimeoutError, httpx2.TimeoutException, TimeoutError), DeadlineError),
    (
        (
            httpx2.LocalProtocolError,
            httpx2.UnsupportedProtocol,
            httpx2.TooManyRedirects,
            httpx2.InvalidURL,
            httpx2.CookieConflict,
            aiohttp.InvalidURL,
        ),
        InvalidRequestError,
    ),
    (
        (
            openai.APIResponseValidationError,
            openai.LengthFinishReasonError,
            openai.ContentFilterFinishReasonError,
            httpx2.DecodingError,
            httpx2.StreamError,
            aiohttp.ContentTypeError,
        ),
        MalformedAnswerError,
    ),
    (
        (
            openai.APIConnectionError,
            httpx2.HTTPError,
            aiohttp.ClientError,
            OSError,
        ),
        ConnectionFailedError,
    ),
    ((openai.APIError,), ServerError),
)


class Filtered(Exception):
    """The provider's content filter kept the answer back: an outcome, no error."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


def to_error(error: BaseException, secret: str | None) -> RunnerError:
    """Our error for whatever was raised, with the real cause and without the key.

    Raise it outside of the `except` block, so that nothing is chained to it.
    """
    if isinstance(error, RunnerError):
        return error
    if isinstance(error, openai.APIStatusError):
        answer = error.response
        return error_from_answer(
            status=answer.status_code,
            headers=answer.headers,
            body=answer.content if answer.is_closed else b"",
            secret=secret,
        )
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    return _of_kind(cause or error, secret)


def _of_kind(error: BaseException, secret: str | None) -> RunnerError:
    kind = next((ours for kinds, ours in _KINDS if isinstance(error, kinds)), None)
    real = _innermost(error)
    unreachable = isinstance(real, _NOT_CONNECTED)
    return (kind or InvalidRequestError)(
        _told(real, secret), code=UNREACHABLE if unreachable else None
    )


def _innermost(error: BaseException) -> BaseException:
    """The real cause: the HTTP client calls every broken connection a timeout."""
    while isinstance(error.__cause__, aiohttp.ClientError | OSError):
        if isinstance(error, _NOT_CONNECTED):
            break
        error = error.__cause__
    return error


def _told(error: BaseException, secret: str | None) -> str:
    name = type(error).__name__
    said = redact(str(error), (secret,) if secret else ())
    return f"{name}: {said}" if said else name
