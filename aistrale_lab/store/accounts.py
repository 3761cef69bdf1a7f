"""The users of a team server: who they are, what they may, and their last admin."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Row,
    Table,
    Update,
    delete,
    func,
    insert,
    select,
    update,
)

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ConflictError, NotFoundError, ValidationError
from aistrale_lab.store.reading import utc
from aistrale_lab.store.records import new_id
from aistrale_lab.store.results import Store
from aistrale_lab.store.team_tables import SessionRow, TokenRow, UserRow

USERS: Table = UserRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SESSIONS: Table = SessionRow.__table__  # type: ignore[attr-defined]
TOKENS: Table = TokenRow.__table__  # type: ignore[attr-defined]

Role = Literal["user", "admin"]

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
"""What a user may be called. Case does not count."""

KILLS_SESSIONS = frozenset({"role", "disabled", "password_hash"})
"""What signs a user out everywhere when it changes."""


class UserRecord(Value):
    """A user as stored, without the password's hash. A limit of None is the server's."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    rpm: int | None = None
    tpm: int | None = None
    budget_usd: Decimal | None = None

    @property
    def admin(self) -> bool:
        """Whether the user may do everything."""
        return self.role == "admin"


class Accounts:
    """The users of a store; writes are durable when a method returns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, password_hash: str, *, role: Role) -> UserRecord:
        """A new user; raises ConflictError if the name is taken, ValidationError if
        it is none.
        """
        _check_name(name)
        user = UserRecord(
            id=new_id(),
            name=folded(name),
            role=role,
            disabled=False,
            created_at=datetime.now(UTC),
        )
        row = {**user.model_dump(), "password_hash": password_hash}

        def write(connection: Connection) -> None:
            if connection.execute(_named(user.name)).first() is not None:
                raise _taken(user.name)
            connection.execute(insert(USERS).values(**row))

        self._store.recorder.write(write)
        return user

    def check_free(self, name: str) -> None:
        """Raise as `add` would, before anybody is asked for a password."""
        _check_name(name)
        if self.find(name) is not None:
            raise _taken(name)

    def list(self) -> list[UserRecord]:
        """All users, by name."""
        return [user_of(r) for r in self._store.read(select(USERS).order_by("name"))]

    def get(self, user_id: str) -> UserRecord:
        """A user by id; raises NotFoundError."""
        found = self._store.read(select(USERS).where(USERS.c.id == user_id))
        if not found:
            raise NotFoundError(f"there is no user {user_id!r}")
        return user_of(found[0])

    def find(self, name: str) -> tuple[UserRecord, str] | None:
        """A user and the password's hash, by the name they sign in with."""
        found = self._store.read(_named(name))
        return (user_of(found[0]), found[0].password_hash) if found else None

    def password_hash(self, user_id: str) -> str | None:
        """The hash of a user's password, if there is such a user."""
        statement = select(USERS.c.password_hash).where(USERS.c.id == user_id)
        found = self._store.read(statement)
        return str(found[0].password_hash) if found else None

    def change(
        self,
        user_id: str,
        changes: Mapping[str, Any],
        *,
        keep: str | None = None,
        revoke_tokens: bool = False,
    ) -> UserRecord:
        """Change columns of a user; all sessions but `keep` end if it matters to them.

        `revoke_tokens` also revokes the personal tokens, in the same transaction.
        Raises NotFoundError, and ConflictError if no admin who may sign in would be
        left.
        """

        def write(connection: Connection) -> UserRecord:
            admins = _lock_admins(connection)
            where = USERS.c.id == user_id
            if changes:
                connection.execute(update(USERS).where(where).values(**changes))
            row = connection.execute(select(USERS).where(where)).first()
            if row is None:
                raise NotFoundError(f"there is no user {user_id!r}")
            if user_id in admins:
                _check_admin_left(connection)
            if KILLS_SESSIONS & set(changes):
                own = SESSIONS.c.user_id == user_id
                others = SESSIONS.c.id != (keep or "")
                connection.execute(delete(SESSIONS).where(own, others))
            if revoke_tokens:
                connection.execute(_revoke_all(user_id))
            return user_of(row)

        return self._store.recorder.write(write)

    def rehash(self, user_id: str, old: str, new: str) -> None:
        """Store a better hash of the same password; no session ends."""
        statement = update(USERS).where(
            USERS.c.id == user_id, USERS.c.password_hash == old
        )
        values = statement.values(password_hash=new)
        self._store.recorder.write(lambda c: c.execute(values))


def folded(name: str) -> str:
    """The form in which names are stored and compared."""
    return name.strip().lower()


def user_of(row: Row[Any], prefix: str = "") -> UserRecord:
    """The record of a user's row, whose columns may have a prefix."""
    found = {name: row._mapping[prefix + name] for name in UserRecord.model_fields}
    return UserRecord(**{**found, "created_at": utc(found["created_at"])})


def columns_of_user(prefix: str) -> list[Any]:
    """The columns that `user_of` reads, for a join."""
    return [USERS.c[name].label(prefix + name) for name in UserRecord.model_fields]


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValidationError(
            f"{name!r} is no name of a user: up to 64 letters, digits and . _ @ -"
        )


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is a user {folded(name)!r} already")


def _named(name: str) -> Any:
    return select(USERS).where(USERS.c.name == folded(name))


def _revoke_all(user_id: str) -> Update:
    valid = TOKENS.c.user_id == user_id, TOKENS.c.revoked_at.is_(None)
    return update(TOKENS).where(*valid).values(revoked_at=datetime.now(UTC))


def _lock_admins(connection: Connection) -> set[str]:
    """Two admins who demote each other at once must not both succeed."""
    admins = select(USERS.c.id).where(USERS.c.role == "admin").order_by(USERS.c.id)
    return set(connection.execute(admins.with_for_update()).scalars())


def _check_admin_left(connection: Connection) -> None:
    left = select(func.count()).select_from(USERS)
    active = left.where(USERS.c.role == "admin", USERS.c.disabled.is_(False))
    if connection.execute(active).scalar_one() == 0:
        raise ConflictError("the last admin cannot be disabled or made a user")
