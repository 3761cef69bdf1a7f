"""An experiment from another store, taken in as its lines come."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from aistrale_lab.errors import ValidationError
from aistrale_lab.store.exchange import PAGE
from aistrale_lab.store.exchange_lines import HEADER, read_line
from aistrale_lab.store.heads import Head, put_head
from aistrale_lab.store.merging import Merged, merge_results, merge_state
from aistrale_lab.store.results import Store
from aistrale_lab.store.visibility import Viewer

ORDER = (HEADER, "dataset", "sample", "experiment", "run", "result", "end")
"""The kinds of lines, as they follow each other."""

MANY = ("sample", "run", "result")
"""The kinds of which there may be several."""


def merge(store: Store, lines: Iterable[str | bytes]) -> Merged:
    """Put an experiment's lines into a store; a second time nothing is put in.

    Of two outcomes of the same sample the newer counts, and the older stays among the
    attempts, as after a resume. Raises ValidationError for lines that are broken or
    belong to something else of the same id; what came before them stays.
    """
    merger = Merger(store)
    merger.feed(lines)
    return merger.finish()


class Merger:
    """Takes the lines of one experiment, in as many portions as they come.

    Rows are committed in groups, and the runs' states last: a transfer that broke off
    leaves nothing wrong behind, and is simply made again. Of a `sender` the samples
    are held against their fingerprint, and only what is the sender's is changed.
    """

    def __init__(self, store: Store, sender: Viewer | None = None) -> None:
        self._store = store
        self._head = Head(sender)
        self._kind = ""
        self._number = 0
        self._results: list[Any] = []
        self._taken = 0
        self.end: Any = None
        """The last line, once it came."""
        self._merged = Merged()

    def feed(self, lines: Iterable[str | bytes]) -> None:
        """Take the next lines; raises LabError for what cannot be taken."""
        for text in lines:
            self._number += 1
            kind, content = read_line(text, self._number)
            self._check_order(kind)
            if kind in ("result", "end") and self._kind not in ("result", "end"):
                self._merged += put_head(self._store, self._head)
            self._kind = kind
            self._take(kind, content)

    def finish(self) -> Merged:
        """Say what was put in, once the runs have their states.

        Raises ValidationError if the end did not come.
        """
        if self.end is None or self.end.results != self._taken:
            raise ValidationError(
                f"the experiment broke off after line {self._number}; what came is "
                "kept: send it again"
            )
        runs = [run.model_dump() for run in self._head.runs]

        def write(connection: Connection) -> None:
            for run in runs:
                merge_state(connection, run)

        self._store.recorder.call(write).result()
        return self._merged

    def _check_order(self, kind: str) -> None:
        """Lines come in their order, and the first one says what they are."""
        before = ORDER.index(self._kind) if self._kind else -1
        now = ORDER.index(kind)
        again = now == before and kind in MANY
        if (before == -1 and now != 0) or (now <= before and not again):
            raise ValidationError(f"line {self._number}: no place for a {kind!r} here")

    def _take(self, kind: str, content: Any) -> None:
        match kind:
            case "result":
                self._head.check_result(content, self._number)
                self._results.append(content)
                self._taken += 1
                if len(self._results) == PAGE:
                    self._flush()
            case "end":
                self._flush()
                self.end = content
            case _:
                self._head.take(kind, content)

    def _flush(self) -> None:
        """Commit a group of results."""
        group, self._results = self._results, []
        if group:
            write = partial(
                merge_results,
                experiment_id=self._head.experiment.id,
                lines=group,
                trusted=self._head.sender is None,
            )
            self._merged += self._store.recorder.call(write).result()
