"""From values to rows: what a group of results and scores writes.

Parameters are built by hand: at this rate a model's dump would cost more than the
insert.
"""

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from aistrale_lab.domain.chat import Completion, Usage
from aistrale_lab.domain.runs import Attempt, SampleResult, SampleScore
from aistrale_lab.store.tables import AttemptRow, ResultRow, ScoreRow

RESULTS = ResultRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
ATTEMPTS = AttemptRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SCORES = ScoreRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

Row = dict[str, Any]
"""Column names to values, ready to be bound."""

Key = tuple[str, str, int]
"""Run, sample and epoch."""

CLEANED = "text_cleaned"
INVALID = "usage_invalid"

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
)

LARGEST = 2**31 - 1
"""The largest integer that a column of every database holds."""


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
    known = write_rows(connection, [result_row(one) for one in found])
    attempts = [
        attempt_row(one, attempt)
        for one in found
        if (one.run_id, one.sample_id, one.epoch) not in known
        for attempt in one.failed_attempts
    ]
    if attempts:
        connection.execute(insert(ATTEMPTS), attempts)


def write_rows(connection: Connection, rows: Sequence[Row]) -> set[Key]:
    """Insert result rows, replacing those that are there already.

    Returns the keys of those that were there just so: saved before, by a commit of
    which nobody was told.
    """
    try:
        with connection.begin_nested():
            connection.execute(insert(RESULTS), list(rows))
    except IntegrityError:
        unique = {(r["run_id"], r["sample_id"], r["epoch"]): r for r in rows}
        return _replace(connection, unique)
    return set()


def add_missing(connection: Connection, table: Any, rows: Sequence[Row]) -> None:
    """Insert the rows that are not there yet.

    Another process may be adding the same ones: rows that several add are to be
    given in one order, for each waits for the other.
    """
    statement = _dialect(connection).insert(table).on_conflict_do_nothing()
    connection.execute(statement, list(rows))


def write_scores(connection: Connection, scores: Sequence[Row]) -> None:
    """Insert scores; one of the same name replaces the old."""
    statement = _dialect(connection).insert(SCORES)
    changed = ("value", "answer", "explanation", "error_type", "error")
    statement = statement.on_conflict_do_update(
        index_elements=["run_id", "sample_id", "epoch", "scorer"],
        set_={name: statement.excluded[name] for name in changed},
    )
    connection.execute(statement, list(scores))


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def result_row(found: SampleResult) -> Row:
    """The row of a result; flagged where text had to be cleaned."""
    completion, timing = found.completion, found.timing
    texts = (
        (completion.text, completion.reasoning, completion.raw)
        if completion
        else (None, None, None)
    )
    cleaned = tuple(clean(text) for text in texts)
    said = _counts(completion)
    counts = {k: None if v is None or v > LARGEST else v for k, v in said.items()}
    flags = found.flags + ((CLEANED,) if cleaned != texts else ())
    if counts != said and INVALID not in flags:
        flags += (INVALID,)
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
        **counts,
        **_origin(completion),
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
        "request_id": clean(attempt.request_id),
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


def _counts(completion: Completion | None) -> dict[str, int | None]:
    usage = completion.usage if completion else Usage()
    return {name: getattr(usage, name) for name in COUNTS}


def _origin(completion: Completion | None) -> dict[str, str | None]:
    """Who says to have answered; a provider may write anything there."""
    names = ("response_model", "system_fingerprint", "request_id")
    return {name: clean(getattr(completion, name, None)) for name in names}


def _replace(connection: Connection, rows: dict[Key, Row]) -> set[Key]:
    """Put new outcomes in the place of old ones, which stay among the attempts.

    Returns the keys of those that are no new outcomes.
    """
    key = tuple_(RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch)
    old = connection.execute(select(RESULTS).where(key.in_(list(rows)))).mappings()
    fresh, kept = dict(rows), []
    for row in old.all():
        place = row["run_id"], row["sample_id"], row["epoch"]
        if _same_moment(row["started_at"], rows[place]["started_at"]):
            del fresh[place]
            continue
        fresh[place]["attempts"] += row["attempts"]
        kept.append(replaced_row(row))
    if kept:
        connection.execute(insert(ATTEMPTS), kept)
    if fresh:
        replace_results(connection, fresh)
    return rows.keys() - fresh.keys()


def replace_results(connection: Connection, rows: Mapping[Key, Row]) -> None:
    """Put results in, after all others, in the place of those of their keys.

    Who has read up to the last row finds them behind it: SQLite would give the id of
    a last row that is deleted once more.
    """
    key = tuple_(RESULTS.c.run_id, RESULTS.c.sample_id, RESULTS.c.epoch)
    last = connection.execute(select(func.max(RESULTS.c.id))).scalar_one() or 0
    connection.execute(delete(RESULTS).where(key.in_(list(rows))))
    new = list(rows.values())
    if connection.dialect.name == "sqlite":
        new = [row | {"id": number} for number, row in enumerate(new, last + 1)]
    connection.execute(insert(RESULTS), new)


def _same_moment(stored: datetime, new: datetime) -> bool:
    """SQLite forgets the time zone; all times are stored in UTC."""
    return (stored if stored.tzinfo else stored.replace(tzinfo=UTC)) == new


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
