"""One result with all that the store knows of it."""

from typing import Any

from sqlalchemy import Row, select

from aistrale_lab.domain.tasks import Sample
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import ATTEMPTS, RESULTS, SCORES


class ScoreRecord(Value):
    """A scorer's verdict as stored."""

    scorer: str
    value: float | None
    answer: str | None
    explanation: str | None
    error: str | None


class AttemptRecord(Value):
    """A try that was not kept: seconds, and what went wrong."""

    number: int
    duration_s: float | None
    wait_s: float | None
    status: int | None
    error_type: str | None
    error: str | None


class OpenedResult(Value):
    """A result, its sample, its scores and its failed attempts.

    `fields` are the columns of the stored result besides the texts.
    """

    sample: Sample
    output: str | None
    reasoning: str | None
    error_type: str | None
    error: str | None
    raw: str | None
    fields: dict[str, Any]
    scores: tuple[ScoreRecord, ...]
    attempts: tuple[AttemptRecord, ...]


TEXTS = ("output", "reasoning", "error_type", "error", "raw")
KEYS = ("id", "run_id", "sample_id", "error_transient")


def open_result(store: Store, run_id: str, sample_id: str, epoch: int) -> OpenedResult:
    """All of one result; raises NotFoundError."""
    key = (run_id, sample_id, epoch)
    row = _only(store, key)
    run = store.get_run(run_id)
    scores = select(SCORES).where(*_is(SCORES, key)).order_by(SCORES.c.scorer)
    attempts = select(ATTEMPTS).where(*_is(ATTEMPTS, key)).order_by(ATTEMPTS.c.id)
    fields = {n: v for n, v in row._mapping.items() if n not in (*TEXTS, *KEYS)}
    return OpenedResult(
        sample=store.get_sample(run.experiment_id, sample_id),
        **{name: row._mapping[name] for name in TEXTS},
        fields=fields,
        scores=tuple(_score(found) for found in store.read(scores)),
        attempts=tuple(_attempt(found) for found in store.read(attempts)),
    )


def _only(store: Store, key: tuple[str, str, int]) -> Row[Any]:
    found = store.read(select(RESULTS).where(*_is(RESULTS, key)))
    if not found:
        run_id, sample_id, epoch = key
        raise NotFoundError(
            f"run {run_id} has no result of sample {sample_id!r}, epoch {epoch}"
        )
    return found[0]


def _is(table: Any, key: tuple[str, str, int]) -> tuple[Any, ...]:
    names = ("run_id", "sample_id", "epoch")
    return tuple(table.c[name] == value for name, value in zip(names, key, strict=True))


def _score(row: Row[Any]) -> ScoreRecord:
    error = f"{row.error_type}: {row.error}" if row.error_type else None
    return ScoreRecord(
        scorer=row.scorer,
        value=row.value,
        answer=row.answer,
        explanation=row.explanation,
        error=error,
    )


def _attempt(row: Row[Any]) -> AttemptRecord:
    return AttemptRecord(
        **{name: getattr(row, name) for name in AttemptRecord.model_fields}
    )
