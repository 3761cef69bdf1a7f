"""Whose month pays for a run; told beside where the run came from."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from aistrale_lab.store.reading import RUNS

_PAYER = "for_user"


def is_paid_by(user_id: str) -> ColumnElement[bool]:
    """The condition on a run whose answers count as a user's spending."""
    is_payer: ColumnElement[bool] = RUNS.c.origin[_PAYER].as_string() == user_id
    return is_payer


def charge(connection: Connection, run_ids: Sequence[str], user_id: str) -> None:
    """Have runs paid by a user from now on, with what they cost so far.

    Those that somebody pays already are left as they are.
    """
    for row in _origins(connection, run_ids):
        if not _is_charged(row.origin):
            origin = {**(row.origin or {}), _PAYER: user_id}
            same = RUNS.c.id == row.id
            connection.execute(update(RUNS).where(same).values(origin=origin))


def charged(connection: Connection, run_ids: Sequence[str]) -> set[str]:
    """The runs that somebody pays."""
    found = _origins(connection, run_ids)
    return {row.id for row in found if _is_charged(row.origin)}


def without_payer(origin: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Where a run came from, as one may hear it of anybody."""
    return {k: v for k, v in (origin or {}).items() if k != _PAYER} or None


def _origins(connection: Connection, run_ids: Sequence[str]) -> Sequence[Any]:
    asked = RUNS.c.id.in_(list(run_ids))
    return connection.execute(select(RUNS.c.id, RUNS.c.origin).where(asked)).all()


def _is_charged(origin: Mapping[str, Any] | None) -> bool:
    return bool((origin or {}).get(_PAYER))
