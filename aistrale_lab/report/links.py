"""Where a page leads to, if there is more to see than the page itself."""

from typing import Protocol

from aistrale_lab.store.excerpts import Key


class Links(Protocol):
    """Addresses of what a report names; empty where there is nothing to go to."""

    def run(self, run_id: str) -> str:
        """All results of a run."""

    def result(self, key: Key) -> str:
        """One result, with everything."""


class Nowhere:
    """The links of a report that stands alone."""

    def run(self, run_id: str) -> str:
        """No page."""
        return ""

    def result(self, key: Key) -> str:
        """No page."""
        return ""


NOWHERE = Nowhere()
