"""Answers that were recorded earlier, given again: no call, no wait, no key."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal, get_args

from aistrale_lab import errors
from aistrale_lab.domain.chat import Chunk, FinishReason, Request
from aistrale_lab.errors import ConfigError, InvalidRequestError, RunnerError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.recordings import RecordedAnswer

Timings = Literal["recorded", "none"]
"""Whether a replayed answer has the times of its record, or unknown ones."""


FindAnswer = Callable[[str, int], RecordedAnswer | None]
"""Looks an answer up by sample id and epoch."""


class ReplayRunner:
    """Gives the answers of `endpoint.options["records"]`, each as one chunk.

    `records` is a mapping (see `load_records`) or a function of sample id and
    epoch. The option `timings` is "recorded" (the default) or "none".
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._find = _finder(endpoint.options.get("records"))
        self._timings = _timings(endpoint.options.get("timings", "recorded"))

    async def open(self) -> None:
        """There is nothing to make ready."""

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """The recorded answer, or its error raised again.

        Raises InvalidRequestError for a sample that has no record.
        """
        if request.sample_id is None:
            raise InvalidRequestError("a replay finds answers by sample id; got none")
        answer = self._find(request.sample_id, request.epoch)
        if answer is None:
            raise InvalidRequestError(
                f"no recorded answer for sample {request.sample_id!r}, "
                f"epoch {request.epoch}"
            )
        if answer.error_type is not None:
            raise _recorded_error(answer)
        yield _chunk(answer, timings=self._timings)

    async def close(self) -> None:
        """There is nothing to release."""


def _finder(records: Any) -> FindAnswer:
    if isinstance(records, Mapping):
        return lambda sample_id, epoch: records.get((sample_id, epoch))
    if callable(records):
        find: FindAnswer = records
        return find
    raise ConfigError(
        "a replay needs the option 'records': a mapping of (sample id, epoch) to "
        f"RecordedAnswer, or a function of both; got {type(records).__name__}"
    )


def _timings(option: Any) -> Timings:
    if option not in get_args(Timings):
        raise ConfigError(f"timings {option!r} is neither 'recorded' nor 'none'")
    timings: Timings = option
    return timings


def _chunk(answer: RecordedAnswer, *, timings: Timings) -> Chunk:
    timed = timings == "recorded" and answer.duration_s is not None
    return Chunk(
        text=answer.output or "",
        reasoning=answer.reasoning or "",
        finish_reason=answer.finish_reason or FinishReason.UNKNOWN,
        usage=answer.usage,
        response_model=answer.response_model,
        request_id=answer.request_id,
        raw=answer.raw,
        duration=answer.duration_s if timed else None,
        time_to_first_token=answer.time_to_first_token_s if timed else None,
        untimed=not timed,
    )


def _recorded_error(answer: RecordedAnswer) -> RunnerError:
    """The error of that name; RunnerError, naming it, for one that is not ours."""
    name = answer.error_type or ""
    kind = getattr(errors, name, None)
    message = answer.error or "recorded without a message"
    if not (isinstance(kind, type) and issubclass(kind, RunnerError)):
        kind, message = RunnerError, f"{name}: {message}"
    error = kind(message, request_id=answer.request_id, stops_lane=False)
    # Asked again, a record says the same: the engine is not to wait and retry.
    setattr(error, "transient", False)
    return error
