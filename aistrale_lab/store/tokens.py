"""Personal API tokens: scoped, revocable, and never shown a second time."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from aistrale_lab.domain.values import Value
from aistrale_lab.store.accounts import (
    TOKENS,
    USERS,
    UserRecord,
    columns_of_user,
    user_of,
)
from aistrale_lab.store.bearer import SEEN_EVERY, hashed, new_secret
from aistrale_lab.store.reading import utc
from aistrale_lab.store.records import new_id
from aistrale_lab.store.results import Store

PREFIX = "ait_"
"""Tells a token of ours from a provider's key, to people and to secret scanners."""

FIND = (
    select(TOKENS, *columns_of_user("owner_"))
    .join(USERS, USERS.c.id == TOKENS.c.user_id)
    .where(TOKENS.c.token_hash.in_(bindparam("hashes", expanding=True)))
)


class TokenRecord(Value):
    """A token as stored, without the secret."""

    id: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None
    revoked_at: datetime | None


class Tokens:
    """The tokens of a store; writes are durable when a method returns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        user_id: str,
        name: str,
        *,
        scopes: Iterable[str],
        expires_at: datetime | None = None,
    ) -> tuple[str, TokenRecord]:
        """A new token; returns the secret, which is not stored, and the record."""
        secret = new_secret(PREFIX)
        token = TokenRecord(
            id=new_id(),
            user_id=user_id,
            name=name,
            scopes=tuple(sorted(scopes)),
            created_at=datetime.now(UTC),
            expires_at=expires_at,
            seen_at=None,
            revoked_at=None,
        )
        row = {**token.model_dump(), "scopes": list(token.scopes)}
        statement = insert(TOKENS).values(**row, token_hash=hashed(secret))
        self._store.recorder.write(lambda c: c.execute(statement))
        return secret, token

    def find(self, secret: str) -> tuple[TokenRecord, UserRecord] | None:
        """The valid token of a secret, and its user as of now."""
        return self.find_all({secret}).get(secret)

    def find_all(
        self, secrets: Iterable[str]
    ) -> dict[str, tuple[TokenRecord, UserRecord]]:
        """The valid tokens among the secrets, and their users, all as of now."""
        by_hash = {hashed(secret): secret for secret in secrets}
        rows = self._store.read(FIND, {"hashes": list(by_hash)})
        found = {by_hash[row.token_hash]: _with_user(row) for row in rows}
        now = datetime.now(UTC)
        valid = {k: one for k, one in found.items() if _is_valid(*one, now)}
        for token, _ in valid.values():
            self._see(token, now)
        return valid

    def of(self, user_id: str) -> list[TokenRecord]:
        """The tokens of a user, newest first; revoked ones too."""
        statement = select(TOKENS).where(TOKENS.c.user_id == user_id)
        newest = statement.order_by(TOKENS.c.created_at.desc(), TOKENS.c.id.desc())
        return [_token_of(row) for row in self._store.read(newest)]

    def revoke(self, user_id: str, token_id: str) -> bool:
        """Revoke a token of a user; whether there was one."""
        statement = (
            update(TOKENS)
            .where(TOKENS.c.user_id == user_id, TOKENS.c.id == token_id)
            .where(TOKENS.c.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
        )
        return self._store.recorder.write(lambda c: c.execute(statement).rowcount > 0)

    def _see(self, token: TokenRecord, now: datetime) -> None:
        if token.seen_at is not None and now - token.seen_at < SEEN_EVERY:
            return
        seen = update(TOKENS).where(TOKENS.c.id == token.id).values(seen_at=now)
        self._store.recorder.call(lambda c: c.execute(seen))


def _with_user(row: Row[Any]) -> tuple[TokenRecord, UserRecord]:
    return _token_of(row), user_of(row, "owner_")


def _is_valid(token: TokenRecord, user: UserRecord, now: datetime) -> bool:
    expired = token.expires_at is not None and token.expires_at <= now
    return not (user.disabled or token.revoked_at is not None or expired)


def _token_of(row: Row[Any]) -> TokenRecord:
    found = {name: row._mapping[name] for name in TokenRecord.model_fields}
    names = ("created_at", "expires_at", "seen_at", "revoked_at")
    times = {n: found[n] and utc(found[n]) for n in names}
    return TokenRecord(**{**found, **times})
