"""Who executes a run or drives a batch: one process, and a dead one is replaced.

A lease names host, boot, process id and the process's start time, so that a process
id that was given out again is not mistaken for its former owner. On another host
only the heartbeat tells, by the clock of the database. Copies have no leases.
"""

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Float, Row, Table, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import NotFoundError, StoreError
from aistrale_lab.store.tables import BatchRow, RunRow

RUNS: Table = RunRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
BATCHES: Table = BatchRow.__table__  # type: ignore[attr-defined]

HELD = {RUNS: "is being executed", BATCHES: "is being driven"}
"""What has a lease, and how its state is called."""

UNASKED: dict[Table, dict[str, Any]] = {RUNS: {"stop_asked": None}, BATCHES: {}}
"""What was asked of an earlier owner, forgotten."""

SILENCE = 60.0
"""Seconds without a heartbeat after which another host's lease is void."""

DIED = "its process ended without a word"
"""Why a run stopped whose process could not say so."""

_CLOCKS = {
    "postgresql": "extract(epoch FROM statement_timestamp())",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}


class _Now(FunctionElement[float]):
    """The database's clock within a statement: seconds since 1970."""

    type = Float()
    inherit_cache = True


@compiles(_Now)
def _clock_in(element: _Now, compiler: SQLCompiler, **_: Any) -> str:
    return _CLOCKS[compiler.dialect.name]


SILENT = (_Now() - RUNS.c.lease_beat).label("silent")
"""Seconds since a run's last heartbeat, which `standing` asks for."""


def standing(run: Row[Any]) -> dict[str, Any]:
    """Status, reason and end of a run: whoever reads a run reads it so.

    One that is called running and whose process has died was interrupted at its last
    heartbeat. The row has `SILENT` beside its columns.
    """
    status, reason, ended = RunStatus(run.status), run.reason, run.finished_at
    if status is RunStatus.RUNNING and run.lease and not _alive(run.lease, run.silent):
        status, reason = RunStatus.INTERRUPTED, DIED
        ended = datetime.fromtimestamp(run.lease_beat, UTC)
    return {"status": status, "reason": reason, "finished_at": ended}


def take(connection: Connection, held: str, table: Table = RUNS) -> None:
    """Take the lease; raises StoreError, naming the owner, if somebody holds it."""
    row = connection.execute(
        select(table.c.lease, table.c.lease_beat)
        .where(table.c.id == held)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"no {_kind(table)} {held!r}")
    now = _database_time(connection)
    mine = _myself()
    if row.lease and row.lease != mine and _alive(row.lease, now - row.lease_beat):
        raise refusal(held, table, _named(row.lease))
    taken = {"lease": mine, "lease_beat": now, **UNASKED[table]}
    connection.execute(update(table).where(table.c.id == held).values(**taken))


def refusal(held: str, table: Table, owner: str) -> StoreError:
    """Why a lease is not to be had: whose it is, in words."""
    return StoreError(f"{_kind(table)} {held} {HELD[table]} by {owner}")


def holder(connection: Connection, run_id: str) -> str | None:
    """Which other process executes the run, in words; None if nobody alive does."""
    row = connection.execute(
        select(RUNS.c.lease, RUNS.c.lease_beat).where(RUNS.c.id == run_id)
    ).first()
    if row is None or not row.lease or row.lease == _myself():
        return None
    if not _alive(row.lease, _database_time(connection) - row.lease_beat):
        return None
    return _named(row.lease)


def is_held(connection: Connection, run_id: str) -> bool:
    """Whether this process, or another that is alive, executes the run."""
    row = connection.execute(select(RUNS.c.lease).where(RUNS.c.id == run_id)).first()
    mine = row is not None and row.lease == _myself()
    return mine or holder(connection, run_id) is not None


def give_back(connection: Connection, held: str, table: Table = RUNS) -> None:
    """Clear the lease, if it is ours."""
    lease = select(table.c.lease).where(table.c.id == held).with_for_update()
    row = connection.execute(lease).first()
    if row and row.lease == _myself():
        connection.execute(
            update(table).where(table.c.id == held).values(lease=None, lease_beat=None)
        )


def ask_to_stop(connection: Connection, run_ids: Sequence[str]) -> None:
    """Ask whoever executes the runs to stop them; of a run that nobody does, nothing."""
    held = RUNS.c.id.in_(list(run_ids)), RUNS.c.lease_beat.is_not(None)
    connection.execute(update(RUNS).where(*held).values(stop_asked=True))


def beat(connection: Connection, held: Sequence[str], table: Table = RUNS) -> None:
    """A sign of life for the leases we hold."""
    connection.execute(
        update(table)
        .where(table.c.id.in_(list(held)))
        .values(lease_beat=_database_time(connection))
    )


def _kind(table: Table) -> str:
    return "run" if table is RUNS else "batch"


def _named(lease: dict[str, Any]) -> str:
    return f"process {lease['pid']} on {lease['host']}"


def _alive(lease: dict[str, Any], silent: float) -> bool:
    here = _myself()
    if lease["host"] != here["host"]:
        return silent < SILENCE
    if lease["boot"] != here["boot"]:
        return False
    started = _start_time(lease["pid"])
    return started is not None and started == str(lease["started"])


def _myself() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "boot": _read("/proc/sys/kernel/random/boot_id"),
        "pid": pid,
        "started": _start_time(pid),
    }


def _start_time(pid: int) -> str | None:
    """The process's start in clock ticks since boot; None if there is none such."""
    status = _read(f"/proc/{pid}/stat")
    if status is None:
        return "unknown" if _exists(pid) else None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _exists(pid: int) -> bool:
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _database_time(connection: Connection) -> float:
    return float(connection.execute(select(_Now())).scalar_one())


def clock_of(connection: Connection) -> str:
    """The database's clock in SQL: seconds since 1970, the same in all of a statement."""
    return _CLOCKS[connection.dialect.name]
