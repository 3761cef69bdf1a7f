"""A list a page at a time: where one is, and where the other pages are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aistrale_lab.server.pages.links import with_query


@dataclass(frozen=True, slots=True)
class Pager:
    """The links below a list; empty where there is no such page."""

    said: str
    previous: str
    next: str


def make_pager(
    path: str,
    query: Mapping[str, Any],
    *,
    page: int,
    size: int,
    found: int,
    what: str,
) -> Pager:
    """The pager of page `page` (from 1 on) of `found` things, `size` on a page."""
    first, last = (page - 1) * size + 1, min(page * size, found)
    return Pager(
        said=f"{first:,} to {last:,} of {found:,} {what}" if first <= last else "",
        previous=with_query(path, {**query, "page": page - 1}) if page > 1 else "",
        next=with_query(path, {**query, "page": page + 1}) if last < found else "",
    )
