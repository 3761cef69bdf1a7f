"""From values to rows: what a group of results and scores writes.

Parameters are built by hand: at this rate a model's dump would cost more than the
insert.
"""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from aistrale_lab.domain.runs import Attempt, SampleResult, SampleScore
from aistrale_lab.store.tables import AttemptRow, ResultRow, ScoreRow

RESULTS = ResultRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
ATTEMPTS = AttemptRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SCORES = ScoreRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

Row = dict[str, Any]
"""Column names to values, ready to be bound."""

CLEANED = "text_cleaned"


def clean(text: str | None) -> str | None:
    """Text that every database can hold: NUL and lone surrogates become U+FFFD."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def write_results(connection: Connection, found: Sequence[SampleResult]) -> None:
    """Insert results; one that is there already is replaced and kept as an attempt."""
    write_rows(connection, [result_row(one) for one in found])
    attempts = [
        attempt_row(one, attempt) for one in found for attempt in one.failed_attempts
    ]
    if attempts:
        connection.execute(insert(ATTEMPTS), attempts)


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert result rows, replacing those that are there already."""
    try:
        with connection.begin_nested():
            connection.execute(insert(RESULTS), list(rows))
    except IntegrityError:
        unique = {(r["run_id"], r["sample_id"], r["epoch"]): r for r in rows}
        _replace(connection, unique)


def write_scores(connection: Connection, scores: Sequence[Row]) -> None:
    """Insert scores; one of the same name replaces the old."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(SCORES)
    changed = ("value", "answer", "explanation", "error_type", "error")
    statement = statement.on_conflict_do_update(
        index_elements=["run_id", "sample_id", "epoch", "scorer"],
        set_={name: statement.excluded[name] for name in changed},
    )
    connection.execute(statement, list(scores))


def result_row(found: SampleResult) -> Row:
    """The row of a result; flagged where text had to be cleaned."""
    completion, timing = found.completion, found.timing
    texts = (
        (completion.text, completion.reasoning, completion.raw)
        if completion
        else (None, None, None)
    )
    cleaned = tuple(clean(text) for text in texts)
    flags = found.flags + ((CLEANED,) if cleaned != texts else ())
    usage = completion.usage if completion else None
    return {
        "run_id": found.run_id,
        "sample_id": found.sample_id,
        "epoch": found.epoch,
        "output": cleaned[0],
        "reasoning": cleaned[1] or None,
        "finish_reason": completion.finish_reason.value if completion else None,
        "error_type": found.error_type,
        "error": clean(found.error),
        "error_transient": found.error_transient,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_input_tokens": usage.cached_input_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "response_model": completion.response_model if completion else None,
        "system_fingerprint": completion.system_fingerprint if completion else None,
        "request_id": completion.request_id if completion else None,
        "raw": cleaned[2],
        "duration_s": timing.duration,
        "time_to_first_token_s": timing.time_to_first_token,
        "inter_token_p50_s": timing.inter_token_p50,
        "inter_token_p95_s": timing.inter_token_p95,
        "queue_s": timing.queue,
        "retry_wait_s": timing.retry_wait,
        "attempts": found.attempts,
        "cost_usd": None if found.cost is None else format(found.cost, "f"),
        "cached": found.cached,
        "flags": ",".join(flags),
        "started_at": found.started_at,
    }


def attempt_row(found: SampleResult, attempt: Attempt) -> Row:
    """The row of a try that was not kept; the bytes of its stream are compressed."""
    return {
        "run_id": found.run_id,
        "sample_id": found.sample_id,
        "epoch": found.epoch,
        "number": attempt.number,
        "started_at": attempt.started_at,
        "duration_s": attempt.duration,
        "wait_s": attempt.wait,
        "error_type": attempt.error_type,
        "error": clean(attempt.error),
        "status": attempt.status,
        "request_id": attempt.request_id,
        "raw": clean(attempt.raw),
        "wire": zlib.compress(attempt.wire) if attempt.wire else None,
    }


def score_row(run_id: str, found: SampleScore) -> Row:
    """The row of a score."""
    score = found.score
    return {
        "run_id": run_id,
        "sample_id": found.sample_id,
        "epoch": found.epoch,
        "scorer": found.scorer,
        "value": score.value if score else None,
        "answer": clean(score.answer) if score else None,
        "explanation": clean(score.explanation) if score else None,
        "error_type": found.error_type,
        "error": clean(found.error),
    }


def _replace(connection: Connection, rows: dict[tuple[str, str, int], Row]) -> None:
    """Put new outcomes in the place of old ones, which stay among the attempts."""
    key = tuple_(RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch)
    old = connection.execute(select(RESULTS).where(key.in_(list(rows)))).mappings()
    kept = []
    for row in old.all():
        new = rows[row["run_id"], row["sample_id"], row["epoch"]]
        if _same_moment(row["started_at"], new["started_at"]):
            continue  # the same outcome, saved twice
        new["attempts"] += row["attempts"]
        kept.append(replaced_row(row))
    connection.execute(delete(RESULTS).where(key.in_(list(rows))))
    connection.execute(insert(RESULTS), list(rows.values()))
    if kept:
        connection.execute(insert(ATTEMPTS), kept)


def _same_moment(stored: datetime, new: datetime) -> bool:
    """SQLite forgets the time zone; all times are stored in UTC."""
    return stored.replace(tzinfo=UTC) == new.replace(tzinfo=UTC)


def replaced_row(row: Any) -> Row:
    """The attempt that is kept of an outcome which a newer one replaces."""
    return {
        "run_id": row["run_id"],
        "sample_id": row["sample_id"],
        "epoch": row["epoch"],
        "number": row["attempts"],
        "started_at": row["started_at"],
        "duration_s": row["duration_s"],
        "wait_s": None,
        "error_type": row["error_type"],
        "error": row["error"],
        "status": None,
        "request_id": row["request_id"],
        "raw": row["raw"] or row["output"],
        "wire": None,
    }
