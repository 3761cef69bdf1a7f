"""Whatever the SDK and its HTTP client raise becomes an error of ours."""

import inspect
import pickle
from types import ModuleType

import aiohttp
import httpx2
import pytest
from huggingface_hub import errors as sdk

from aistrale_lab import errors
from aistrale_lab.errors import RunnerError
from aistrale_lab.runners.huggingface_errors import runner_error


def exported(module: ModuleType) -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception)
    ]


def raised(kind: type[Exception]) -> Exception:
    """An error of that class as it is met, with a request that bears the key."""
    request = httpx2.Request(
        "POST", "http://h/", headers={"authorization": "Bearer hf_SECRET"}
    )
    error = kind.__new__(kind)
    Exception.__init__(error, "it broke")
    vars(error).update(_request=request, response=httpx2.Response(500, request=request))
    return error


ALL = exported(httpx2) + exported(sdk)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_exported_error_becomes_one_of_ours(kind: type[Exception]) -> None:
    error = runner_error(raised(kind), where="http://h")

    assert type(error).__name__ in vars(errors)
    assert error.message.startswith(f"http://h: {kind.__name__}")
    assert b"SECRET" not in pickle.dumps(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("kind", exported(httpx2), ids=lambda kind: kind.__name__)
def test_every_error_of_the_http_client_has_a_class(kind: type[Exception]) -> None:
    assert type(runner_error(raised(kind), where="http://h")) is not RunnerError


@pytest.mark.parametrize(
    "theirs, ours",
    [
        (httpx2.ConnectError, errors.ConnectionFailedError),
        (httpx2.ConnectTimeout, errors.ConnectionFailedError),
        (httpx2.ReadError, errors.ConnectionFailedError),
        (httpx2.RemoteProtocolError, errors.ConnectionFailedError),
        (aiohttp.ServerDisconnectedError, errors.ConnectionFailedError),
        (httpx2.ReadTimeout, errors.DeadlineError),
        (httpx2.DecodingError, errors.MalformedAnswerError),
        (httpx2.TooManyRedirects, errors.InvalidRequestError),
        (sdk.InferenceTimeoutError, errors.DeadlineError),
        (sdk.OverloadedError, errors.RateLimitError),
        (sdk.ValidationError, errors.InvalidRequestError),
        (sdk.GenerationError, errors.ServerError),
        (sdk.IncompleteGenerationError, errors.TruncatedAnswerError),
        (sdk.GatedRepoError, errors.PermissionDeniedError),
        (sdk.RepositoryNotFoundError, errors.ModelNotFoundError),
        (sdk.LocalTokenNotFoundError, errors.AuthenticationError),
        (sdk.BadRequestError, errors.InvalidRequestError),
        (sdk.HfHubHTTPError, errors.ServerError),
        (sdk.OfflineModeIsEnabled, errors.ConnectionFailedError),
    ],
)
def test_the_class_tells_what_to_do(
    theirs: type[Exception], ours: type[RunnerError]
) -> None:
    assert type(runner_error(raised(theirs), where="http://h")) is ours


def test_the_innermost_cause_is_told() -> None:
    outer = httpx2.ConnectError("All connection attempts failed")
    outer.__cause__ = ConnectionRefusedError(111, "Connection refused")

    error = runner_error(outer, where="http://h:1")

    assert error.message == (
        "http://h:1: ConnectionRefusedError: [Errno 111] Connection refused"
    )


def test_an_error_of_ours_stays_itself() -> None:
    ours = errors.QuotaError("no credit")

    assert runner_error(ours, where="http://h") is ours
