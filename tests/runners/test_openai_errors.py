"""Whatever the openai SDK and its HTTP client raise becomes an error of ours."""

import pickle

import aiohttp
import httpx2
import openai
import pytest

from aistrale_lab import errors
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.openai_errors import FOREIGN, UNREACHABLE, to_error

KEY = "sk-SECRETSECRET0123"


def exported(module: object, names: list[str]) -> list[type[Exception]]:
    found = [getattr(module, name) for name in names]
    return [
        kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception)
    ]


def raised(kind: type[Exception]) -> Exception:
    """An error of that class as it is met, with a request that bears the key."""
    request = httpx2.Request(
        "POST", "http://h/", headers={"authorization": f"Bearer {KEY}"}
    )
    error = kind.__new__(kind)
    Exception.__init__(error, f"it broke at {KEY}")
    answer = httpx2.Response(418, request=request, text=f"it broke at {KEY}")
    if not issubclass(kind, aiohttp.ClientError):
        vars(error).update(request=request, response=answer, message="it broke")
    return error


SDK = exported(openai, openai.__all__)
HTTP = exported(httpx2, [name for name in dir(httpx2) if name[0] != "_"])
BELOW = exported(aiohttp, list(aiohttp.__all__))


@pytest.mark.parametrize("kind", SDK + HTTP, ids=lambda kind: kind.__name__)
def test_every_exported_error_is_caught_and_becomes_one_of_ours(
    kind: type[Exception],
) -> None:
    assert issubclass(kind, FOREIGN) or issubclass(kind, Warning)

    error = to_error(raised(kind), KEY)

    assert type(error).__name__ in vars(errors)
    assert type(error) is not RunnerError
    assert KEY.encode() not in pickle.dumps(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("kind", BELOW, ids=lambda kind: kind.__name__)
def test_every_error_of_aiohttp_becomes_one_of_ours(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, 1, "it broke")
    if issubclass(kind, aiohttp.ClientResponseError):
        vars(error).update(status=500, message="no", request_info=_Asked())
    if issubclass(kind, aiohttp.ClientConnectorError):
        vars(error).update(_conn_key=_Asked(), _os_error=OSError(1, "no"))
        vars(error).update(_certificate_error=OSError(1, "no"))
    if issubclass(kind, aiohttp.InvalidURL):
        vars(error).update(_url="http:", _description="no")

    assert type(to_error(error, None)) in vars(errors).values()


class _Asked:
    """Stands for what aiohttp keeps of a request, for an error's text alone."""

    real_url = "http://h/"
    host, port, ssl, is_ssl = "h", 80, True, False


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (httpx2.ConnectError, errors.ConnectionFailedError),
        (httpx2.ConnectTimeout, errors.ConnectionFailedError),
        (httpx2.PoolTimeout, errors.ConnectionFailedError),
        (httpx2.ProxyError, errors.ConnectionFailedError),
        (httpx2.ReadError, errors.ConnectionFailedError),
        (httpx2.RemoteProtocolError, errors.ConnectionFailedError),
        (aiohttp.ServerDisconnectedError, errors.ConnectionFailedError),
        (ConnectionResetError, errors.ConnectionFailedError),
        (httpx2.ReadTimeout, errors.DeadlineError),
        (TimeoutError, errors.DeadlineError),
        (httpx2.DecodingError, errors.MalformedAnswerError),
        (openai.APIResponseValidationError, errors.MalformedAnswerError),
        (httpx2.TooManyRedirects, errors.InvalidRequestError),
        (httpx2.InvalidURL, errors.InvalidRequestError),
        (httpx2.LocalProtocolError, errors.InvalidRequestError),
        (openai.APIError, errors.ServerError),
        (ValueError, errors.InvalidRequestError),
    ],
)
def test_the_class_tells_what_to_do(
    theirs: type[Exception], ours: type[RunnerError]
) -> None:
    assert type(to_error(raised(theirs), KEY)) is ours


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.ModelNotFoundError),
        (409, errors.ServerError),
        (422, errors.InvalidRequestError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
    ],
)
def test_a_status_error_is_read_from_its_answer(
    status: int, ours: type[RunnerError]
) -> None:
    request = httpx2.Request("POST", "http://h/")
    answer = httpx2.Response(
        status, request=request, json={"error": {"message": f"no: {KEY}"}}
    )
    theirs = openai.APIStatusError("no", response=answer, body=None)

    error = to_error(theirs, KEY)

    assert type(error) is ours
    assert error.message == f"{status}: no: [redacted]"


def test_the_real_cause_is_told_and_tells_whether_anyone_was_reached() -> None:
    request = httpx2.Request("POST", "http://h/")
    outer = openai.APIConnectionError(request=request)
    outer.__cause__ = httpx2.ConnectTimeout("reset")
    outer.__cause__.__cause__ = aiohttp.ClientOSError(104, "Connection reset by peer")

    reset = to_error(outer, None)
    outer.__cause__.__cause__ = aiohttp.ConnectionTimeoutError("too slow")
    slow = to_error(outer, None)

    assert reset.message == "ClientOSError: [Errno 104] Connection reset by peer"
    assert reset.code is None
    assert slow.message == "ConnectionTimeoutError: too slow"
    assert slow.code == UNREACHABLE


def test_an_error_of_ours_stays_itself() -> None:
    ours = errors.QuotaError("no credit")

    assert to_error(ours, None) is ours
