"""`ResultsTable`: the results of an experiment, a page at a time, each to be opened."""

from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from aistrale_lab.domain import rich
from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.options import faults_of
from aistrale_lab.lab.result_pages import default_columns, is_number, page_said
from aistrale_lab.store.page_search import PageQuery
from aistrale_lab.widgets.cells import cell
from aistrale_lab.widgets.group_choice import offered_groups
from aistrale_lab.widgets.opened import opened_state
from aistrale_lab.widgets.view import Act, View, asset

EVERY = 1.0
"""Seconds between two looks while a run goes on."""


class ResultsTable(View):
    """All results of an experiment: sorted, searched, filtered, opened one by one.

    `source` is an experiment, or the handle of a run: then the table fills while the
    run goes on. `columns` are names of `results_df`; `page_size` rows are shown at a
    time. The kernel pages in the store: a million rows cost no more than a hundred.
    Raises ValidationError for a column that there is not.
    """

    _esm = asset("common.js", "opened.js", "results_table.js")
    _css = asset("common.css", "opened.css", "results_table.css")

    def __init__(
        self,
        source: Experiment | RunHandle[Experiment],
        *,
        columns: Sequence[str] | None = None,
        page_size: int = 25,
    ) -> None:
        self._source = source
        self._query = _checked_query(limit=page_size)
        experiment = self._experiment
        known = experiment.columns()
        self._chosen = list(columns) if columns else default_columns(experiment)
        super().__init__(
            {
                "columns": known,
                "runs": [[run.id, _label(run)] for run in experiment.runs],
                **offered_groups(experiment.groups(), experiment.count_groups()),
                "scorers": [
                    c[len("score_") :] for c in known if c.startswith("score_")
                ],
                "opened": None,
            }
        )
        self.show(**self._read(self._query, self._chosen))
        if isinstance(source, RunHandle) and not source.done():
            source.watch(self.refresh, every=EVERY)

    def refresh(self) -> None:
        """Read the page again; at the end of a run also for the static twin."""
        self.show(**self._read(self._query, self._chosen))
        if not self.state["live"]:
            self.refresh_static()

    def acts(self) -> Mapping[str, Act]:
        """What the person can do."""
        return {
            "query": self._ask,
            "choose": self._choose,
            "open": self._open,
            "close": self._close,
            "step": self._step,
        }

    def static_html(self) -> str:
        """The page as a table, with the line that says of how many."""
        state = self.state
        headings = [name for name in state["chosen"]]
        numbers = [n for n, name in enumerate(headings) if is_number(name)]
        return rich.table(
            headings, state["cells"], caption=state["said"], numbers=numbers
        )

    def static_text(self) -> str:
        """The page as lines of text."""
        state = self.state
        lines = [f"ResultsTable: {state['said']}", " | ".join(state["chosen"])]
        lines += [" | ".join(row) for row in state["cells"]]
        return "\n".join(lines)

    @property
    def _experiment(self) -> Experiment:
        source = self._source
        return source.so_far() if isinstance(source, RunHandle) else source

    def _ask(self, **fields: Any) -> None:
        """Sort, search, filter or turn the page; a new question begins at its top."""
        asked = {"offset": 0, **fields}
        query = _checked_query(**{**self._query.model_dump(), **asked})
        self.show(**self._read(query, self._chosen))
        self._query = query

    def _choose(self, columns: Sequence[str]) -> None:
        known = self.state["columns"]
        self._chosen = [name for name in known if name in columns] or self._chosen
        self.show(**self._read(self._query, self._chosen))

    def _open(self, run_id: str, sample_id: str, epoch: int) -> None:
        found = self._experiment.opened(run_id, sample_id, int(epoch))
        template = self._experiment.record.task["prompt"]
        models = {run: label for run, label in self.state["runs"]}
        shown = opened_state(found, template, model=models[run_id])
        self.show(opened={**shown, "key": [run_id, sample_id, int(epoch)]})

    def _close(self) -> None:
        self.show(opened=None)

    def _step(self, by: int) -> None:
        """Open the next or the previous row, on the next page if need be."""
        keys, opened = self.state["keys"], self.state["opened"]
        if opened is None:
            return
        place = keys.index(opened["key"]) if opened["key"] in keys else -by
        offset = self._query.offset
        if not 0 <= place + by < len(keys):
            turned = offset + by * self._query.limit
            if not 0 <= turned < self.state["found"]:
                return
            self._ask(offset=turned)
            keys = self.state["keys"]
            place = -1 if by > 0 else len(keys)
        self._open(*keys[place + by])

    def _read(self, query: PageQuery, columns: Sequence[str]) -> dict[str, Any]:
        """The state of a page; raises ValidationError for what there is not."""
        source = self._source
        live = isinstance(source, RunHandle) and not source.done()
        page = self._experiment.page(query, columns)
        return {
            "chosen": list(columns),
            "query": query.model_dump(mode="json"),
            "numbers": [name for name in columns if is_number(name)],
            "keys": [[r["run_id"], r["sample_id"], r["epoch"]] for r in page.rows],
            "cells": [[cell(c, row[c]) for c in columns] for row in page.rows],
            "found": page.found,
            "said": page_said(page, query, live=live),
            "live": live,
        }


def _checked_query(**fields: Any) -> PageQuery:
    try:
        return PageQuery(**fields)
    except pydantic.ValidationError as error:
        raise ValidationError(faults_of(error)) from None


def _label(run: Any) -> str:
    params = ", ".join(f"{name}={value}" for name, value in run.params.items())
    return f"{run.model} {params}".strip()
