"""How often a sign-in may be tried: counted in the store, for all processes together.

Each try is counted before the password is looked at, and taken back if it was right:
so many tries at once cannot pass before the first has failed. After the free ones
the pause doubles with each failure up to a bound: nobody is locked out for good.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from aistrale_lab.store.leases import clock_of
from aistrale_lab.store.results import Store
from aistrale_lab.store.team_tables import SignInRow
from aistrale_lab.store.writing import clean

SIGN_INS: Table = SignInRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

FREE_ACCOUNT, FREE_ADDRESS = 10, 50
"""Failures without a pause; many people may share an address."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds."""

FORGOTTEN = 900.0
"""Seconds without a failure after which the earlier ones do not count."""


class SignIns:
    """The tries to sign in to a store's accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, account: str, address: str) -> float:
        """Count a try; returns 0, or the seconds to wait before it may be made."""
        free = {_account(account): FREE_ACCOUNT, _address(address): FREE_ADDRESS}
        return self._store.recorder.write(lambda c: _count(c, free))

    def succeed(self, account: str, address: str) -> None:
        """The try was right: the account's failures are forgotten."""

        def write(connection: Connection) -> None:
            key = SIGN_INS.c.key
            connection.execute(delete(SIGN_INS).where(key == _account(account)))
            left = SIGN_INS.c.failures - 1
            own = key == _address(address)
            connection.execute(update(SIGN_INS).where(own).values(failures=left))

        self._store.recorder.write(write)


def _count(connection: Connection, free: Mapping[str, int]) -> float:
    now = _now(connection)
    connection.execute(
        delete(SIGN_INS).where(SIGN_INS.c.blocked_until < now - FORGOTTEN)
    )
    rows = _locked_rows(connection, sorted(free), now)
    wait = max(float(row.blocked_until) - now for row in rows)
    if wait > 0:
        return wait
    for row in rows:
        failures = row.failures + 1
        until = now + _pause(failures - free[row.key])
        values = {"failures": failures, "blocked_until": until}
        where = SIGN_INS.c.key == row.key
        connection.execute(update(SIGN_INS).where(where).values(**values))
    return 0.0


def _locked_rows(connection: Connection, keys: list[str], now: float) -> list[Row[Any]]:
    """The rows, made if need be, which no other process changes meanwhile."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    fresh = dialect.insert(SIGN_INS).on_conflict_do_nothing(index_elements=["key"])
    rows = [{"key": key, "failures": 0, "blocked_until": now} for key in keys]
    connection.execute(fresh, rows)
    found = select(SIGN_INS).where(SIGN_INS.c.key.in_(keys)).order_by(SIGN_INS.c.key)
    return list(connection.execute(found.with_for_update()).all())


def _pause(over: int) -> float:
    return 0.0 if over < 0 else min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(over, 30))


def _now(connection: Connection) -> float:
    statement = text(f"SELECT {clock_of(connection)}")
    return float(connection.execute(statement).scalar_one())


def _account(name: str) -> str:
    return f"account:{clean(name)}"


def _address(address: str) -> str:
    return f"address:{address}"
