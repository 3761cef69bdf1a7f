"""The rows of a team: who may sign in, by what, and what each of them has asked.

No `from __future__ import annotations` here: SQLModel reads the annotations.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from aistrale_lab.store.columns import json_column, text_column, time_column


class UserRow(SQLModel, table=True):
    """Somebody who may sign in. A limit that is NULL is the server's own."""

    __tablename__ = "users"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    password_hash: str = text_column(nullable=False)
    role: str
    disabled: bool = False
    created_at: datetime = time_column(nullable=False)
    rpm: int | None = None
    tpm: int | None = None
    budget_usd: str | None = None


class SessionRow(SQLModel, table=True):
    """A browser that is signed in, by the SHA-256 of what its cookie holds."""

    __tablename__ = "sessions"

    token_hash: str = Field(primary_key=True)
    id: str = Field(unique=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    created_at: datetime = time_column(nullable=False)
    seen_at: datetime = time_column(nullable=False)
    expires_at: datetime = time_column(nullable=False)
    address: str = text_column(nullable=False)
    agent: str = text_column(nullable=False)


class TokenRow(SQLModel, table=True):
    """A personal API token, by its SHA-256; kept after it was revoked."""

    __tablename__ = "tokens"

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id", index=True)
    name: str = text_column(nullable=False)
    token_hash: str = Field(unique=True)
    scopes: list[str] = json_column(nullable=False)
    created_at: datetime = time_column(nullable=False)
    expires_at: datetime | None = time_column()
    seen_at: datetime | None = time_column()
    revoked_at: datetime | None = time_column()


class SignInRow(SQLModel, table=True):
    """Failed sign-ins of an account or an address, by the database's clock."""

    __tablename__ = "sign_ins"

    key: str = Field(primary_key=True)
    failures: int
    blocked_until: float


class CallRow(SQLModel, table=True):
    """One call of a user outside any experiment: asked, answered, and paid."""

    __tablename__ = "calls"
    __table_args__ = (Index("ix_calls_user", "user_id", "started_at"),)

    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="users.id")
    token_id: str | None = Field(default=None, foreign_key="tokens.id")
    provider: str
    model: str = text_column(nullable=False)
    messages: list[dict[str, Any]] = json_column(nullable=False)
    config: dict[str, Any] = json_column(nullable=False)
    output: str | None = text_column()
    reasoning: str | None = text_column()
    finish_reason: str | None = None
    error_type: str | None = None
    error: str | None = text_column()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    duration_s: float | None = None
    time_to_first_token_s: float | None = None
    queue_s: float | None = None
    retry_wait_s: float | None = None
    attempts: int
    cost_usd: str | None = None
    request_id: str | None = text_column()
    started_at: datetime = time_column(nullable=False)
