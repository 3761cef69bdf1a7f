"""A database and its connections: one writer, many readers, errors in words.

SQLite runs in WAL mode with `synchronous=FULL`. Python's driver begins transactions
by itself and not before schema changes; that is turned off, and BEGIN is emitted
here: IMMEDIATE for the writer, so that a transaction never fails half-way for want
of the lock.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from aistrale_lab.errors import ConfigError, StoreError

BUSY_SECONDS = 30
"""How long SQLite itself waits for another process's lock."""

CREATION_SECONDS = 2.0
"""How long a fresh store may be empty while another process makes it."""

FORMS = "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"


class Database:
    """An opened database: `write` for the one writer, `read` for everybody else."""

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.url = url
        self.read_only = read_only
        self.writer = _engine(url, writer=True, read_only=read_only)
        self.reader = _engine(url, writer=False, read_only=read_only)

    @classmethod
    def open(cls, text: str) -> "Database":
        """Open a database by its URL; a SQLite file is made on first use.

        Raises ConfigError for a malformed URL, StoreError for a file that cannot be
        used: no database, damaged, or in a folder that does not exist.
        """
        url = parse_url(text)
        read_only = False
        if url.get_backend_name() == "sqlite" and url.database:
            read_only = _check_file(Path(url.database))
        database = cls(url, read_only=read_only)
        with database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        return database

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        if self.url.get_backend_name() != "sqlite" or not self.url.database:
            return None
        return Path(self.url.database).absolute()

    @property
    def full_url(self) -> str:
        """The URL with its password, and of a file with its whole path."""
        url = self.url.set(database=str(self.path)) if self.path else self.url
        return url.render_as_string(hide_password=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; database errors become StoreError."""
        with store_errors(str(self)), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction of the writer, committed at the end of the block."""
        if self.read_only:
            raise StoreError(f"{self} is read-only: nothing can be stored")
        with store_errors(str(self)), self.writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)


def parse_url(text: str) -> URL:
    """The URL of a store; raises ConfigError, without the password, if malformed."""
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise ConfigError(f"the store's URL is malformed; possible: {FORMS}") from None
    if backend not in ("sqlite", "postgresql"):
        raise ConfigError(f"no store for {backend!r}; possible: {FORMS}")
    if backend == "sqlite" and (url.host or not url.database):
        raise ConfigError(
            "the store's URL names no file; three slashes stand before a relative "
            "path, four before an absolute one: sqlite:///aistrale.db"
        )
    return url


@contextmanager
def store_errors(store: str) -> Iterator[None]:
    """Turn the database's errors into StoreError, in words and without parameters."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"{store}: {_in_words(error)}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"{store}: {error}") from error


def is_busy(error: BaseException | None) -> bool:
    """Whether another process held the lock: worth another try."""
    while error is not None:
        if isinstance(error, sqlite3.OperationalError):
            return getattr(error, "sqlite_errorname", "").startswith(
                ("SQLITE_BUSY", "SQLITE_LOCKED")
            )
        error = error.__cause__ or getattr(error, "orig", None)
    return False


def _in_words(error: DBAPIError) -> str:
    said = str(error.orig)
    hints = {
        "file is not a database": "it was not made by us, or is encrypted; "
        "it is left as it is",
        "database disk image is malformed": "the file is damaged; restore a backup",
        "database is locked": "another process holds it; try again when it is done",
        "database or disk is full": "free some space, then resume",
        "attempt to write a readonly database": "the file or its folder is read-only",
    }
    hint = hints.get(said)
    return f"{said} ({hint})" if hint else said


def _check_file(path: Path) -> bool:
    """Whether the file can only be read; raises StoreError if it cannot be that."""
    if not path.exists():
        if not path.parent.is_dir():
            raise StoreError(f"the folder {str(path.parent)!r} does not exist")
        if not os.access(path.parent, os.W_OK):
            raise StoreError(f"the folder {str(path.parent)!r} is read-only")
        path.touch(mode=0o600)
        return False
    if path.is_file() and not _has_content(path):
        raise StoreError(
            f"{str(path)!r} is empty: no store, and it is left as it is; restore a "
            "backup, or remove the file"
        )
    if path.is_dir() or not os.access(path, os.R_OK):
        raise StoreError(f"{str(path)!r} cannot be read")
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _has_content(path: Path) -> bool:
    """Whether a file holds anything; one that is just being made is waited for."""
    give_up = time.monotonic() + CREATION_SECONDS
    while path.stat().st_size == 0:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def _engine(url: URL, *, writer: bool, read_only: bool) -> Engine:
    if url.get_backend_name() != "sqlite":
        size = 1 if writer else 5
        return create_engine(
            url, pool_size=size, pool_pre_ping=True, hide_parameters=True
        )
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
