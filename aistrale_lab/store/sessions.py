"""Browsers that are signed in: rows that can be listed, ended, and outlived."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from aistrale_lab.domain.values import Value
from aistrale_lab.store.accounts import (
    SESSIONS,
    USERS,
    UserRecord,
    columns_of_user,
    user_of,
)
from aistrale_lab.store.bearer import SEEN_EVERY, hashed, new_secret
from aistrale_lab.store.reading import utc
from aistrale_lab.store.records import new_id
from aistrale_lab.store.results import Store

LONGEST = 300
"""Characters that are kept of what a browser says it is."""


class SessionRecord(Value):
    """A session as stored, without what proves it."""

    id: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


class Sessions:
    """The sessions of a store; writes are durable when a method returns.

    One ends when it was not used for `idle`, and `longest` after it began.
    """

    def __init__(self, store: Store, *, idle: timedelta, longest: timedelta) -> None:
        self._store = store
        self._idle = idle
        self._longest = longest

    def add(self, user_id: str, *, address: str, agent: str) -> tuple[str, datetime]:
        """A new session; returns the secret that proves it, and when it ends.

        What has expired of the user is removed.
        """
        secret, now = new_secret(), datetime.now(UTC)
        row = {
            "token_hash": hashed(secret),
            "id": new_id(),
            "user_id": user_id,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + self._longest,
            "address": address,
            "agent": agent[:LONGEST],
        }
        expired = delete(SESSIONS).where(
            SESSIONS.c.user_id == user_id, SESSIONS.c.expires_at < now
        )
        self._store.recorder.call(lambda c: c.execute(expired))
        add = insert(SESSIONS).values(**row)
        self._store.recorder.write(lambda c: c.execute(add))
        return secret, now + self._longest

    def find(self, secret: str) -> tuple[SessionRecord, UserRecord] | None:
        """The living session that a secret proves, and its user as of now."""
        statement = (
            select(SESSIONS, *columns_of_user("owner_"))
            .join(USERS, USERS.c.id == SESSIONS.c.user_id)
            .where(SESSIONS.c.token_hash == hashed(secret))
        )
        found = self._store.read(statement)
        if not found:
            return None
        session, user = _session_of(found[0]), user_of(found[0], "owner_")
        if user.disabled or not self._is_alive(session):
            return None
        self._see(session)
        return session, user

    def of(self, user_id: str) -> list[SessionRecord]:
        """The living sessions of a user, newest first."""
        statement = select(SESSIONS).where(SESSIONS.c.user_id == user_id)
        rows: Sequence[Row[Any]] = self._store.read(
            statement.order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.id)
        )
        return [one for one in map(_session_of, rows) if self._is_alive(one)]

    def end(self, user_id: str, session_id: str) -> bool:
        """End a session of a user; whether there was one."""
        where = (SESSIONS.c.user_id == user_id, SESSIONS.c.id == session_id)
        return self._delete(*where) > 0

    def end_all(self, user_id: str) -> None:
        """Sign a user out everywhere."""
        self._delete(SESSIONS.c.user_id == user_id)

    def end_by(self, secret: str) -> None:
        """End the session that a secret proves, if there is one."""
        self._delete(SESSIONS.c.token_hash == hashed(secret))

    def _delete(self, *where: Any) -> int:
        statement = delete(SESSIONS).where(*where)
        return self._store.recorder.write(lambda c: int(c.execute(statement).rowcount))

    def _is_alive(self, session: SessionRecord) -> bool:
        now = datetime.now(UTC)
        return now < session.expires_at and now < session.seen_at + self._idle

    def _see(self, session: SessionRecord) -> None:
        now = datetime.now(UTC)
        if now - session.seen_at < min(SEEN_EVERY, self._idle / 4):
            return
        seen = update(SESSIONS).where(SESSIONS.c.id == session.id).values(seen_at=now)
        self._store.recorder.call(lambda c: c.execute(seen))


def _session_of(row: Row[Any]) -> SessionRecord:
    found = {name: row._mapping[name] for name in SessionRecord.model_fields}
    times = {n: utc(found[n]) for n in ("created_at", "seen_at", "expires_at")}
    return SessionRecord(**{**found, **times})
