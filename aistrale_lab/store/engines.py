"""Engines of SQLAlchemy for the databases that a store may be.

SQLite runs in WAL mode with `synchronous=FULL`. Python's driver begins transactions
by itself and not before schema changes; that is turned off, and BEGIN is emitted
here: IMMEDIATE for the writer, so that a transaction never fails half-way for want
of the lock. Each reader of PostgreSQL sees one state of the database throughout, as
those of SQLite do. PostgreSQL refuses NUL wherever it stands, also in what is looked
for; it is given the text that is stored in the place of such text.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool, StaticPool

from aistrale_lab.errors import ConfigError
from aistrale_lab.store.writing import clean

BUSY_SECONDS = 30
"""How long SQLite itself waits for another process's lock."""

READERS = 5
"""Connections to PostgreSQL that a store keeps for reading."""

CONNECTING: dict[str, Any] = {
    "application_name": "aistrale",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""What libpq is told unless the URL says otherwise: a dead network is noticed."""

SESSION = """
SELECT set_config('TimeZone', 'UTC', false), set_config('synchronous_commit',
replace(current_setting('synchronous_commit'), 'off', 'on'), false)
"""
"""Times come back as they were given, and what is committed is on disk."""


def make_engine(url: URL, *, writer: bool, read_only: bool) -> Engine:
    """An engine with the connection of the one writer, or with those of the readers."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, writer=writer, read_only=read_only)
    return _postgres(url, writer=writer)


def check_driver(url: URL) -> None:
    """Raise ConfigError, naming the extra, if the database's driver is missing."""
    if url.get_backend_name() != "postgresql":
        return
    try:
        import_module("psycopg")
    except ImportError:
        raise ConfigError(
            "psycopg is not installed; pip install 'aistrale-lab[postgres]'"
        ) from None


def _postgres(url: URL, *, writer: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=1 if writer else READERS,
        max_overflow=0 if writer else READERS,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writer else "REPEATABLE READ",
        connect_args={k: v for k, v in CONNECTING.items() if k not in url.query},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_session)
    event.listen(engine, "before_cursor_execute", _clean_parameters, retval=True)
    if not writer:
        event.listen(engine, "connect", _only_read)
    return engine


def _sqlite(url: URL, *, writer: bool, read_only: bool) -> Engine:
    if read_only:
        path = Path(url.database or "").absolute()
        url = url.set(database=f"file:{path}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(
        url,
        poolclass=StaticPool if writer else QueuePool,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare if not read_only else _prepare_read_only)
    event.listen(engine, "begin", _begin_immediate if writer else _begin)
    return engine


def _prepare_session(connection: Any, record: Any) -> None:
    connection.execute(SESSION)
    connection.commit()


def _clean_parameters(
    connection: Connection, cursor: Any, statement: str, given: Any, *_: Any
) -> tuple[str, Any]:
    """The event's answer: the statement, and what is given of one set or of many."""
    if isinstance(given, Mapping):
        return statement, _clean_set(given)
    return statement, [_clean_set(one) for one in given]


def _clean_set(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: clean(value) if isinstance(value, str) else value
        for name, value in given.items()
    }


def _only_read(connection: Any, record: Any) -> None:
    connection.read_only = True


def _prepare(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_read_only(connection: Any, record: Any) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
