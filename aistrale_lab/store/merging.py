"""Results of another store put into this one: the newer outcome counts.

Whatever is there already is left as it is, so that merging twice is merging once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, tuple_, update

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.values import Value
from aistrale_lab.store import leases
from aistrale_lab.store.charges import charged
from aistrale_lab.store.exchange_lines import KEY
from aistrale_lab.store.reading import EXPERIMENTS, RUNS, utc
from aistrale_lab.store.writing import (
    ATTEMPTS,
    RESULTS,
    SCORES,
    Row,
    replace_results,
    replaced_row,
    write_scores,
)

Key = tuple[str, str, int]
"""Run, sample and epoch."""


class Merged(Value):
    """What was put in: rows that were not there, outcomes replaced, scores changed."""

    datasets: int = 0
    experiments: int = 0
    runs: int = 0
    results: int = 0
    replaced: int = 0
    attempts: int = 0
    scores: int = 0

    def __add__(self, other: "Merged") -> "Merged":
        summed = {name: n + getattr(other, name) for name, n in self}
        return Merged(**summed)

    @property
    def inserted(self) -> int:
        """How many rows are new here."""
        return sum(n for _, n in self)


def merge_results(
    connection: Connection,
    experiment_id: str,
    lines: Sequence[Any],
    *,
    trusted: bool = True,
) -> Merged:
    """Put a group of result lines in; of the same sample the newer outcome counts.

    The older one stays among the attempts. Scores go with the outcome that they judge;
    of two scores of the same outcome the one that comes counts. Merges of the same
    experiment take turns. Of who is not `trusted` nothing replaces an outcome that
    somebody paid for here.
    """
    _take_turns(connection, experiment_id)
    came = _newest_of_each(lines)
    attempts = _add_attempts(connection, came)
    stored = _by_key(connection, RESULTS, list(came))
    paid = set() if trusted else _paid(connection, stored)
    fresh, newer, older = [], [], []
    for key, line in came.items():
        if key not in stored:
            fresh.append(line)
        elif key not in paid and utc(stored[key][0]["started_at"]) < line.started_at:
            newer.append(line)
        elif utc(stored[key][0]["started_at"]) != line.started_at:
            older.append(line)
        elif stored[key][0]["attempts"] < line.attempts:
            _count_attempts(connection, key, line.attempts)
    attempts += _replace(connection, newer, stored)
    attempts += _keep_beside(connection, [_row(line) for line in older])
    if fresh:
        connection.execute(insert(RESULTS), [_row(line) for line in fresh])
    outdated = {_key(line) for line in older}
    judged = [line for key, line in came.items() if key not in outdated]
    return Merged(
        results=len(fresh),
        replaced=len(newer),
        attempts=attempts,
        scores=_add_scores(connection, judged),
    )


def merge_run(connection: Connection, run: Row) -> int:
    """Put a run in that is not there, as one that is pending; returns how many."""
    known = connection.execute(select(RUNS.c.id).where(RUNS.c.id == run["id"]))
    if known.first() is not None:
        return 0
    pending = {"status": RunStatus.PENDING, "reason": None, "finished_at": None}
    connection.execute(insert(RUNS).values(**{**run, **pending}))
    return 1


def merge_state(connection: Connection, run: Row) -> None:
    """Give a run the state that comes, if it is newer and nobody executes it here."""
    found = connection.execute(select(RUNS).where(RUNS.c.id == run["id"])).one()
    if leases.is_held(connection, run["id"]) or _moment(run) <= _moment(found._mapping):
        return
    state = {name: run[name] for name in _STATE}
    connection.execute(update(RUNS).where(RUNS.c.id == run["id"]).values(**state))


def _take_turns(connection: Connection, experiment_id: str) -> None:
    mine = EXPERIMENTS.c.id == experiment_id
    connection.execute(select(EXPERIMENTS.c.id).where(mine).with_for_update())


_STATE = ("status", "reason", "started_at", "finished_at")


def _moment(run: Any) -> tuple[float, int]:
    """Orders the states of a run: one that goes on again is newer than its last end."""
    finished: datetime | None = run["finished_at"]
    begun = run["status"] == RunStatus.RUNNING
    return utc(finished).timestamp() if finished else 0.0, int(begun)


def _paid(connection: Connection, stored: dict[Key, list[Row]]) -> set[Key]:
    """The outcomes that count in what somebody spent."""
    runs = charged(connection, list({run_id for run_id, _, _ in stored}))
    return {
        key
        for key, rows in stored.items()
        if key[0] in runs and rows[0]["cost_usd"] is not None
    }


def _newest_of_each(lines: Sequence[Any]) -> dict[Key, Any]:
    """One line for each key: a result that was replaced meanwhile is read twice."""
    found: dict[Key, Any] = {}
    for line in sorted(lines, key=lambda line: line.started_at):
        found[_key(line)] = line
    return found


def _replace(
    connection: Connection, lines: Sequence[Any], stored: dict[Key, list[Row]]
) -> int:
    """Put newer outcomes in the place of older ones; returns the attempts kept."""
    if not lines:
        return 0
    keys = [_key(line) for line in lines]
    old = {key: stored[key][0] for key in keys}
    unknown = _unknown(connection, [replaced_row(row) for row in old.values()])
    sent_before = {_key_of(row) for row in unknown}
    rows = {_key(line): _row(line) for line in lines}
    for key in sent_before:  # else its count is in that of the newer one
        rows[key]["attempts"] += old[key]["attempts"]
    connection.execute(delete(SCORES).where(_columns(SCORES).in_(keys)))
    replace_results(connection, rows)
    if unknown:
        connection.execute(insert(ATTEMPTS), unknown)
    return len(unknown)


def _keep_beside(connection: Connection, older: Sequence[Row]) -> int:
    """Keep outcomes that a newer one replaced already among its attempts."""
    unknown = _unknown(connection, [replaced_row(row) for row in older])
    for row in unknown:
        key = _key_of(row)
        _count_attempts(connection, key, RESULTS.c.attempts + row["number"])
    if unknown:
        connection.execute(insert(ATTEMPTS), unknown)
    return len(unknown)


def _count_attempts(connection: Connection, key: Key, attempts: Any) -> None:
    mine = _columns(RESULTS).in_([key])
    connection.execute(update(RESULTS).where(mine).values(attempts=attempts))


def _add_attempts(connection: Connection, came: dict[Key, Any]) -> int:
    rows = [
        dict(zip(KEY, key, strict=True)) | attempt.model_dump()
        for key, line in came.items()
        for attempt in line.failed_attempts
    ]
    unknown = _unknown(connection, rows)
    if unknown:
        connection.execute(insert(ATTEMPTS), unknown)
    return len(unknown)


def _unknown(connection: Connection, attempts: Sequence[Row]) -> list[Row]:
    """The attempts that are not there yet."""
    keys = list(dict.fromkeys(map(_key_of, attempts)))
    known = {
        _attempt_of(row)
        for rows in _by_key(connection, ATTEMPTS, keys).values()
        for row in rows
    }
    return [row for row in attempts if _attempt_of(row) not in known]


def _add_scores(connection: Connection, lines: Sequence[Any]) -> int:
    rows = [
        dict(zip(KEY, _key(line), strict=True)) | score.model_dump()
        for line in lines
        for score in line.scores
    ]
    keys = list(dict.fromkeys(map(_key_of, rows)))
    there = {
        (key, row["scorer"]): dict(row)
        for key, found in _by_key(connection, SCORES, keys).items()
        for row in found
    }
    fresh = [row for row in rows if there.get((_key_of(row), row["scorer"])) != row]
    if fresh:
        write_scores(connection, fresh)
    return len(fresh)


def _by_key(
    connection: Connection, table: Table, keys: Sequence[Key]
) -> dict[Key, list[Row]]:
    """The rows of a table by run, sample and epoch."""
    found: dict[Key, list[Row]] = {}
    if keys:
        statement = select(table).where(_columns(table).in_(keys))
        for row in connection.execute(statement).mappings():
            found.setdefault(_key_of(row), []).append(dict(row))
    return found


def _columns(table: Table) -> Any:
    return tuple_(*(table.c[name] for name in KEY))


def _row(line: Any) -> Row:
    row: Row = line.model_dump(exclude={"failed_attempts", "scores"})
    return row


def _key(line: Any) -> Key:
    return line.run_id, line.sample_id, line.epoch


def _key_of(row: Any) -> Key:
    return row["run_id"], row["sample_id"], row["epoch"]


def _attempt_of(row: Any) -> tuple[Any, ...]:
    return (*_key_of(row), row["number"], utc(row["started_at"]))
