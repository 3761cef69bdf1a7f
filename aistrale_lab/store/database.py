"""A database and its connections: one writer, many readers, errors in words."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from aistrale_lab.errors import ConfigError, StoreError
from aistrale_lab.store.engines import check_driver, make_engine
from aistrale_lab.store.faults import store_errors

CREATION_SECONDS = 2.0
"""How long a fresh store may be empty while another process makes it."""

FORMS = "sqlite:///FILE or postgresql://USER@HOST/NAME"

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""What may stand before the colon, and what SQLAlchemy calls it."""


class Database:
    """An opened database: `write` for the one writer, `read` for everybody else."""

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.url = url
        self.read_only = read_only
        self.writer = make_engine(url, writer=True, read_only=read_only)
        self.reader = make_engine(url, writer=False, read_only=read_only)

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
        with database.closed_on_failure(), database.read() as connection:
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
        with store_errors(self), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction of the writer, committed at the end of the block."""
        if self.read_only:
            raise StoreError(f"{self} is read-only: nothing can be stored")
        with store_errors(self), self.writer.begin() as connection:
            yield connection

    @contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Close every connection if the block raises."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self.writer.dispose()
        self.reader.dispose()

    def __str__(self) -> str:
        return shown(self.url)


def parse_url(text: str) -> URL:
    """The URL of a store; raises ConfigError, without the password.

    It is malformed, names no database, or one whose driver is not installed.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        meant = f" (meant sqlite:///{text}?)" if _may_be_path(text) else ""
        raise ConfigError(
            f"the store's URL is malformed{meant}; possible: {FORMS}"
        ) from None
    if url.drivername not in DRIVERS:
        raise ConfigError(f"no store for {url.drivername!r}; possible: {FORMS}")
    url = url.set(drivername=DRIVERS[url.drivername])
    if url.get_backend_name() == "sqlite" and (url.host or not url.database):
        raise ConfigError(
            "the store's URL names no file; three slashes stand before a relative "
            "path, four before an absolute one: sqlite:///aistrale.db"
        )
    if not url.database:
        raise ConfigError(f"the store's URL names no database; possible: {FORMS}")
    check_driver(url)
    return url


def _may_be_path(text: str) -> bool:
    """Whether a text that is no URL tells no password either."""
    return bool(text) and not set(text) & set(":@")


def shown(url: URL) -> str:
    """A URL without its password, wherever that stands."""
    query = {name: "***" if "pass" in name else v for name, v in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


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
