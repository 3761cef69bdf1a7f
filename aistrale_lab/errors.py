"""What can go wrong, as one tree.

::

    LabError (message, status_code)
    ├── ConfigError 422
    │   ├── ValidationError
    │   ├── UnknownProviderError
    │   ├── UnknownScorerError
    │   └── MissingKeyError
    ├── DatasetError 422
    ├── PromptError 422
    ├── NotFoundError 404
    ├── StoreError 503
    ├── BudgetError 402
    ├── AccessError 403                    a server refuses a request of its own
    │   ├── NotSignedInError 401
    │   ├── ForbiddenError 403
    │   ├── ForgedRequestError 403
    │   ├── ThrottledError 429
    │   └── ConflictError 409
    └── RunnerError = InferenceError 502
        ├── AuthenticationError 401        the lane stops
        ├── PermissionDeniedError 403      the lane stops
        ├── QuotaError 402                 the lane stops
        ├── RateLimitError 429             transient
        ├── ModelNotFoundError 404         the lane stops
        ├── InvalidRequestError 400
        ├── ContextLengthError 400
        ├── ServerError 502                transient
        ├── ConnectionFailedError 503      transient
        ├── DeadlineError 504              transient
        ├── MalformedAnswerError 502       transient
        └── TruncatedAnswerError 502       transient

A `RunnerError` is data: the engine stores it as the outcome of one sample. Any
other `LabError` ends the command that met it.
"""

from collections.abc import Iterable
from typing import ClassVar


class LabError(Exception):
    """The root of the tree: a message for a person and a status code for a machine."""

    status_code: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(LabError):
    """A setting, an option or a combination of them cannot work."""

    status_code = 422


class ValidationError(ConfigError):
    """A value has the wrong type or lies outside its range."""


class UnknownProviderError(ConfigError):
    """No runner answers to that provider's name."""


class UnknownScorerError(ConfigError):
    """No scorer answers to that name."""


class MissingKeyError(ConfigError):
    """A provider needs a key that is not set."""


class DatasetError(LabError):
    """A prompt set is broken; the message lists every fault with its place."""

    status_code = 422


class PromptError(LabError):
    """A template fails, names an unknown variable, or exceeds its caps."""

    status_code = 422


class NotFoundError(LabError):
    """The thing asked for does not exist."""

    status_code = 404


class StoreError(LabError):
    """The database cannot be read or written."""

    status_code = 503


class BudgetError(LabError):
    """The money that was allowed does not cover the next call.

    `retry_after` are the seconds until there is more, None if nobody knows.
    """

    status_code = 402

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AccessError(LabError):
    """A server refuses what was asked of it; no provider was called."""

    status_code = 403


class NotSignedInError(AccessError):
    """Nobody is signed in, or what they sent to prove it is not valid (any more)."""

    status_code = 401


class ForbiddenError(AccessError):
    """Who is signed in may not do this."""


class ForgedRequestError(AccessError):
    """The request does not come from a page of the server's own."""


class ThrottledError(AccessError):
    """Too much was asked for now; `retry_after` is in seconds."""

    status_code = 429

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConflictError(AccessError):
    """It contradicts what there is, such as a name that is taken."""

    status_code = 409


class RunnerError(LabError):
    """A call failed. The attributes say what the provider said, as far as it did.

    `status` is the HTTP status, `code` the provider's own error code, `request_id`
    its id of the call, `retry_after` the seconds it asked to wait, `raw` the first
    2 kB of what it sent, `wire` the bytes of a stream that could not be read;
    `provider` is whom a one-off call asked.
    """

    status_code = 502
    transient: ClassVar[bool] = False
    """Whether the same call may succeed later."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        raw: str | None = None,
        wire: bytes | None = None,
        stops_lane: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.raw = raw
        self.wire = wire
        self.provider: str | None = None
        self.stops_lane = self.always_stops_lane if stops_lane is None else stops_lane

    always_stops_lane: ClassVar[bool] = False
    """Whether every further call of the lane would fail in the same way."""


InferenceError = RunnerError


class AuthenticationError(RunnerError):
    """The key was refused."""

    status_code = 401
    always_stops_lane = True


class PermissionDeniedError(RunnerError):
    """The key is valid but may not do this."""

    status_code = 403
    always_stops_lane = True


class QuotaError(RunnerError):
    """The account has no credit left."""

    status_code = 402
    always_stops_lane = True


class RateLimitError(RunnerError):
    """Too many calls or tokens for now."""

    status_code = 429
    transient = True


class ModelNotFoundError(RunnerError):
    """The endpoint does not know the model."""

    status_code = 404
    always_stops_lane = True


class InvalidRequestError(RunnerError):
    """The provider refuses this request, and would refuse it again."""

    status_code = 400


class ContextLengthError(RunnerError):
    """The prompt does not fit into the model's context."""

    status_code = 400


class ServerError(RunnerError):
    """The provider failed."""

    transient = True


class ConnectionFailedError(RunnerError):
    """The endpoint could not be reached, or the connection broke."""

    status_code = 503
    transient = True


class DeadlineError(RunnerError):
    """The call, or the wait for its next token, took longer than allowed."""

    status_code = 504
    transient = True


class MalformedAnswerError(RunnerError):
    """What came back is not an answer of this API."""

    transient = True


class TruncatedAnswerError(RunnerError):
    """The answer broke off before the provider said that it was complete."""

    transient = True


def one_of(names: Iterable[str]) -> str:
    """The possible names, for the end of an error message."""
    return ", ".join(sorted(names)) or "none"
