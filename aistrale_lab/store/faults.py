"""What the databases complain of, in words: without passwords and without values."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from aistrale_lab.errors import StoreError


class PassingStoreError(StoreError):
    """A fault that another try may outlive: a lock, a restart, a lost connection.

    What was begun was undone.
    """


SQLITE_HINTS: Mapping[str, str] = {
    "file is not a database": "it was not made by us, or is encrypted; "
    "it is left as it is",
    "database disk image is malformed": "the file is damaged; restore a backup",
    "database is locked": "another process holds it; try again when it is done",
    "database or disk is full": "free some space, then resume",
    "attempt to write a readonly database": "the file or its folder is read-only",
}

CONNECTING_HINTS: Mapping[str, str] = {
    "Connection refused": "is PostgreSQL running there, and is that its port?",
    "No such file or directory": "is PostgreSQL running there?",
    "password authentication failed": "check the user and the password of the URL",
    "no password supplied": "the URL lacks the password: postgresql://USER:PASSWORD@...",
    "no pg_hba.conf entry": "the server does not let this user in from here",
    "resolve host": "check the name of the host in the URL",
    "timeout expired": "nothing answers there; a firewall, or the wrong address?",
    '" does not exist': "make it with createdb or createuser",
    "starting up": "try again in a moment",
    "shutting down": "try again when it is back",
}
"""By a part of the message: PostgreSQL gives no code before it let somebody in."""

CODE_HINTS: Mapping[str, str] = {
    "25006": "the server only reads: is it a standby?",
    "3D000": "make it with: createdb NAME",
    "42501": "the user needs the right to use and make tables",
    "42P01": "the schema is not ours, or tables were removed",
    "53100": "free some space on the server, then resume",
    "53300": "close other programs, or raise max_connections",
    "57014": "the server's statement_timeout is too short",
}
"""By PostgreSQL's code of the error."""

LASTING = ("authentication failed", "no password", "does not exist", "pg_hba.conf")
"""Parts of what a server says to whom it will not let in next time either."""

PASSING = ("08", "40001", "40P01", "53300", "55P03", "57014", "57P0")
"""The beginnings of the codes of faults that may pass."""


@contextmanager
def store_errors(store: object) -> Iterator[None]:
    """Turn the database's errors into StoreError, in words and without parameters."""
    try:
        yield
    except DBAPIError as error:
        kind = PassingStoreError if is_passing(error) else StoreError
        raise kind(f"{store}: {in_words(error)}") from _telling_nothing(error)
    except SQLAlchemyError as error:
        raise StoreError(f"{store}: {error}") from error


def is_passing(error: DBAPIError) -> bool:
    """Whether another try may succeed, since nothing is wrong with what was asked."""
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        name = getattr(origin, "sqlite_errorname", "")
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    code = getattr(origin, "sqlstate", None)
    if code is not None:
        return str(code).startswith(PASSING)
    if type(origin).__name__ != "OperationalError":
        return error.connection_invalidated
    return not any(part in str(origin) for part in LASTING)


def in_words(error: DBAPIError) -> str:
    """What went wrong, and what may help; no value that was to be stored."""
    said = _said(error.orig)
    code = getattr(error.orig, "sqlstate", None) or ""
    hint = SQLITE_HINTS.get(said) or CODE_HINTS.get(code)
    if hint is None:
        found = (hint for part, hint in CONNECTING_HINTS.items() if part in said)
        hint = next(found, None)
    return f"{said} ({hint})" if hint else said


def _said(origin: Any) -> str:
    """PostgreSQL's details, and what it quotes in errors of data, are values."""
    diagnosis = getattr(origin, "diag", None)
    message = getattr(diagnosis, "message_primary", None)
    if message is None:
        return " ".join(str(origin).split())
    if (origin.sqlstate or "").startswith("22"):
        message = re.sub(r'\s*:?\s*".*', "", message, flags=re.DOTALL)
    return str(message)


def _telling_nothing(error: DBAPIError) -> DBAPIError | None:
    """The error, if it tells no values."""
    return error if isinstance(error.orig, sqlite3.Error) else None
