"""Addresses of pages. Whatever an id holds, it names no other place."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from aistrale_lab.store.excerpts import Key

HOME = "/experiments"


class PageLinks:
    """Where the blocks of a report lead to on the server."""

    def run(self, run_id: str) -> str:
        """All results of a run."""
        return f"/runs/{quote(run_id, safe='')}"

    def result(self, key: Key, among: Mapping[str, Any] | None = None) -> str:
        """One result, with everything; `among` is what the list it is of asked for."""
        run_id, sample_id, epoch = key
        asked = {"id": sample_id, "epoch": epoch, **(among or {})}
        return with_query(f"{self.run(run_id)}/sample", asked)


LINKS = PageLinks()


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """A path with what is asked of it; what is empty or False is left out."""
    asked = {
        name: 1 if value is True else value
        for name, value in query.items()
        if value not in ("", None, False)
    }
    return f"{path}?{urlencode(asked, errors='replace')}" if asked else path


def own_path(asked: str) -> str:
    """A path of this server to return to, whatever was asked for: no other site's."""
    bare = unquote(asked)
    strange = "\\" in bare or any(ord(letter) <= 32 for letter in bare)
    if not asked.startswith("/") or bare.startswith("//") or strange:
        return HOME
    try:
        parts = urlsplit(asked)
    except ValueError:
        return HOME
    return HOME if parts.scheme or parts.netloc or "//" in parts.path else asked
