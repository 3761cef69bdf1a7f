"""Which models there are: asked of the providers now and then, not for every page."""

import asyncio
from collections.abc import Container
from time import monotonic

from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.listing import ModelList

FRESH = 60.0
"""Seconds for which a list is repeated."""


class Catalogue:
    """The models of some providers. Belongs to the server's loop."""

    def __init__(self, bench: Lab, providers: Container[str]) -> None:
        self._bench = bench
        self._providers = providers
        self._lock = asyncio.Lock()
        self._found: ModelList | None = None
        self._found_at = 0.0

    async def get(self) -> ModelList:
        """The list, at most a minute old."""
        async with self._lock:
            if self._found is None or monotonic() - self._found_at > FRESH:
                self._found = self._ours(await self._bench.models())
                self._found_at = monotonic()
            return self._found

    def _ours(self, found: ModelList) -> ModelList:
        models = [m for m in found.models if m.partition("/")[0] in self._providers]
        missing = {p: why for p, why in found.missing.items() if p in self._providers}
        return ModelList(models=tuple(models), missing=missing)
