"""From rows to records and back, and the statements that find them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Row, Select, func, select

from aistrale_lab.domain.chat import Completion, FinishReason, Usage
from aistrale_lab.domain.runs import RunSpec, RunStatus
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.leases import standing
from aistrale_lab.store.records import ExperimentRecord, RunRecord
from aistrale_lab.store.tables import ExperimentRow, RunRow
from aistrale_lab.store.writing import RESULTS, SCORES

RUNS = RunRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
EXPERIMENTS = ExperimentRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

Found = TypeVar("Found", RunRecord, Row[Any])

PAGE = 500
"""Answers read at a time for scoring."""


def run_row(
    spec: RunSpec, position: int, planned: int, now: datetime, **more: Any
) -> dict[str, Any]:
    """The row of a run that is pending; `more` are columns of its batch and origin."""
    return {
        "id": spec.run_id,
        "experiment_id": spec.experiment_id,
        "position": position,
        "provider": spec.model.provider,
        "model": spec.model.model,
        "base_url": spec.base_url,
        "params": spec.params,
        "config": spec.config.model_dump(mode="json", exclude_none=True),
        "stream": spec.stream,
        "price": spec.price,
        "status": RunStatus.PENDING.value,
        "planned": planned,
        "created_at": now,
        **more,
    }


def only_one(found: Sequence[Found], kind: str, which: str) -> Found:
    """The one thing that was found; raises NotFoundError for none or several."""
    if not found:
        raise NotFoundError(f"there is no {kind} {which!r}; `aistrale runs` lists them")
    if len(found) > 1:
        ids = ", ".join(sorted(row.id for row in found)[:5])
        raise NotFoundError(f"{kind} {which!r} is ambiguous: {ids}")
    return found[0]


def experiment_of(row: Row[Any]) -> ExperimentRecord:
    """The record of an experiment's row."""
    return ExperimentRecord(**{**row._mapping, "created_at": utc(row.created_at)})


def run_of(row: Row[Any]) -> RunRecord:
    """The record of a run's row, joined with its counts and its owner's silence."""
    failed = row.failed or 0
    stands = standing(row)
    return RunRecord(
        id=row.id,
        experiment_id=row.experiment_id,
        name=row.name,
        position=row.position,
        provider=row.provider,
        model_name=row.model,
        base_url=row.base_url,
        params=row.params,
        config=row.config,
        stream=row.stream,
        price=row.price,
        status=stands["status"],
        reason=stands["reason"],
        planned=row.planned,
        completed=(row.rows or 0) - failed,
        failed=failed,
        created_at=utc(row.created_at),
        started_at=row.started_at and utc(row.started_at),
        finished_at=stands["finished_at"] and utc(stands["finished_at"]),
        batch_id=row.batch_id,
        point=row.point,
        origin=row.origin,
    )


def utc(moment: datetime) -> datetime:
    """SQLite forgets the time zone; all times are stored in UTC."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def answers_after(
    run_id: str, last: int, without_scores: Sequence[str] | None
) -> Select[Any]:
    """A page of a run\'s answers, from the row after `last` on."""
    statement = select(RESULTS).where(
        RESULTS.c.run_id == run_id,
        RESULTS.c.error_type.is_(None),
        RESULTS.c.id > last,
    )
    if without_scores is not None:
        scores = (
            select(func.count())
            .where(
                SCORES.c.run_id == RESULTS.c.run_id,
                SCORES.c.sample_id == RESULTS.c.sample_id,
                SCORES.c.epoch == RESULTS.c.epoch,
                SCORES.c.scorer.in_(list(without_scores)),
            )
            .scalar_subquery()
        )
        statement = statement.where(scores < len(without_scores))
    return statement.order_by(RESULTS.c.id).limit(PAGE)


def completion_of(row: Row[Any]) -> Completion:
    """The completion of a result's row."""
    return Completion(
        text=row.output,
        reasoning=row.reasoning or "",
        finish_reason=FinishReason(row.finish_reason),
        usage=Usage(
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cached_input_tokens=row.cached_input_tokens,
            reasoning_tokens=row.reasoning_tokens,
        ),
        response_model=row.response_model,
        system_fingerprint=row.system_fingerprint,
        request_id=row.request_id,
        raw=row.raw,
    )
