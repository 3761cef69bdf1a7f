"""Columns that SQLModel does not make by itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Text
from sqlmodel import Field


def text_column(*, nullable: bool = True) -> Any:
    """Text of any length."""
    return Field(default=None, sa_column=Column(Text, nullable=nullable))


def json_column(*, nullable: bool = True) -> Any:
    """A value that JSON can hold."""
    return Field(default=None, sa_column=Column(JSON, nullable=nullable))


def time_column(*, nullable: bool = True) -> Any:
    """A moment in UTC."""
    column: Column[datetime] = Column(DateTime(timezone=True), nullable=nullable)
    return Field(default=None, sa_column=column)
