"""Shapes that requests and answers of several routes have."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.sessions import SessionRecord
from aistrale_lab.store.tokens import TokenRecord

Item = TypeVar("Item")

Id = Annotated[str, Path(pattern="^[0-9a-z]{1,40}$")]
"""An id in a path."""

Role = Literal["user", "admin"]


class Asked(BaseModel):
    """A body of a request: a field that is not known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=False)


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is the cursor of the rest, None at the end."""

    items: list[Item]
    next: str | None = None


class Limits(Asked):
    """What a user may use; None: what the server's settings say."""

    rpm: int | None = Field(default=None, ge=1, le=2**31 - 1)
    tpm: int | None = Field(default=None, ge=1, le=2**31 - 1)
    budget_usd: str | None = Field(
        default=None, pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$", examples=["12.50"]
    )
    """Exact text, as all money: a number of JSON's may be rounded on its way."""


class User(BaseModel):
    """A user, as others may know them: never the password's hash."""

    id: str
    name: str
    role: Role
    disabled: bool
    created_at: datetime
    limits: Limits

    @classmethod
    def of(cls, user: UserRecord) -> "User":
        """What is told of a stored user."""
        known = user.model_dump()
        limits = {name: known.pop(name) for name in Limits.model_fields}
        if user.budget_usd is not None:
            limits["budget_usd"] = format(user.budget_usd, "f")
        return cls(**known, limits=Limits(**limits))


class Session(BaseModel):
    """A browser that is signed in."""

    id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str
    current: bool
    """Whether it is the one that asks."""

    @classmethod
    def of(cls, session: SessionRecord, current: str | None) -> "Session":
        """What is told of a stored session."""
        known = session.model_dump(exclude={"user_id"})
        return cls(**known, current=session.id == current)


class Token(BaseModel):
    """A personal API token, without its secret."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    seen_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: TokenRecord) -> "Token":
        """What is told of a stored token."""
        return cls(**token.model_dump(exclude={"user_id"}))
