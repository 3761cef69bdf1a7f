"""The results of a run as a page of rows, and one of them with everything."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.result_pages import default_columns, is_number, page_said
from aistrale_lab.report.description import Card
from aistrale_lab.report.examples import answer_of, verdict_of
from aistrale_lab.report.plan import listed, moment
from aistrale_lab.report.texts import LONGEST, name
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.pages.group_choice import choose_group
from aistrale_lab.server.pages.kept import in_thread
from aistrale_lab.server.pages.links import LINKS, with_query
from aistrale_lab.server.pages.paging import Pager, make_pager
from aistrale_lab.server.pages.reading import is_running, open_run, store_of
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.pages.words import Number, Words
from aistrale_lab.store.excerpts import Key
from aistrale_lab.store.page_search import Outcome, PageQuery
from aistrale_lab.store.pages import find_beside
from aistrale_lab.store.records import RunRecord
from aistrale_lab.widgets.cells import cell
from aistrale_lab.widgets.opened import UNITS, opened_state

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

SIZE = 50
"""Results on a page."""

BESIDE = 8
"""Answers of other runs to the same sample."""

OUTCOMES: tuple[tuple[Outcome, str], ...] = (
    ("all", "all"),
    ("answered", "answered"),
    ("failed", "failed"),
    ("right", "right"),
    ("wrong", "wrong"),
    ("unscored", "not scored"),
)
BY_SCORE = ("right", "wrong", "unscored")


def asked_query(
    search: Words = "",
    outcome: Outcome = "all",
    scorer: Words = "",
    group: Words = "",
    sort: Words = "",
    descending: bool = False,
    page: Number = 1,
) -> PageQuery:
    """What the address of the page asks for."""
    return PageQuery(
        sort=sort,
        descending=descending,
        search=search,
        outcome=outcome,
        scorer=scorer,
        group=group,
        offset=(page - 1) * SIZE,
        limit=SIZE,
    )


@router.get("/runs/{run_id}")
@door(SESSION)
async def run(
    run_id: str,
    request: Request,
    query: Annotated[PageQuery, Depends(asked_query)],
    groups: Words = "",
) -> Response:
    """The results of a run, sorted, searched and filtered.

    `groups` is looked for among the groups that the filter offers.
    """
    return await in_thread(request, _run, request, run_id, query, groups)


@router.get("/runs/{run_id}/sample")
@door(SESSION)
async def sample(
    run_id: str,
    request: Request,
    query: Annotated[PageQuery, Depends(asked_query)],
    which: Annotated[str, Query(alias="id", max_length=2_000)],
    epoch: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """One result with everything, and what the other runs said to its sample.

    The query is that of the list from which it was opened.
    """
    key = run_id, which, epoch
    return await in_thread(request, _sample, request, key, query)


def _run(request: Request, run_id: str, query: PageQuery, groups: str) -> Response:
    run = open_run(request, run_id)
    experiment = Experiment(store_of(request), run.experiment_id, only=[run.id])
    columns = [one for one in default_columns(experiment) if one != "model"]
    scorers = _scorers(experiment)
    if query.outcome in BY_SCORE and not query.scorer:
        query = query.model_copy(update={"scorer": scorers[0] if scorers else ""})
    found = experiment.page(query, columns)
    path, number = LINKS.run(run.id), query.offset // SIZE + 1
    pager = make_pager(
        path,
        _asked(query),
        page=number,
        size=SIZE,
        found=found.found,
        what="results",
    )
    return page(
        request,
        "run.html.jinja",
        run=run,
        title=_title(run),
        facts=_facts(run),
        query=query,
        outcomes=OUTCOMES if scorers else OUTCOMES[:3],
        scorers=scorers,
        group_choice=choose_group(experiment, query.group, groups),
        columns=[_column(one, path, query) for one in columns],
        rows=[_row(row, columns, query) for row in found.rows],
        said=page_said(found, query, live=is_running([run])),
        pager=pager,
    )


def _scorers(experiment: Experiment) -> list[str]:
    columns = experiment.columns()
    return [name[len(SCORE) :] for name in columns if name.startswith(SCORE)]


def _asked(query: PageQuery) -> dict[str, Any]:
    """The query as the address has it, without the page."""
    shown = query.model_dump(exclude={"runs", "offset", "limit"})
    return {k: v for k, v in shown.items() if not (k == "outcome" and v == "all")}


def _title(run: RunRecord) -> str:
    params = listed(run.params)
    return f"{name(run.model)} ({params})" if params else name(run.model)


def _facts(run: RunRecord) -> list[tuple[str, str]]:
    known = {
        "status": f"{run.status}: {name(run.reason)}" if run.reason else run.status,
        "answered": f"{run.completed:,} of {run.planned:,}",
        "failed": f"{run.failed:,}",
        "started, UTC": moment(run.started_at),
        "ended, UTC": moment(run.finished_at),
        "settings": listed({k: v for k, v in run.config.items() if v not in ({}, [])}),
        "run": run.id,
    }
    return [(title, str(value)) for title, value in known.items() if value]


def _column(column: str, path: str, query: PageQuery) -> dict[str, Any]:
    """A heading that sorts by its column; once more, the other way round."""
    is_sorted = query.sort == column
    asked = {**_asked(query), "sort": column}
    asked["descending"] = is_sorted and not query.descending
    order = "descending" if query.descending else "ascending"
    return {
        "label": _label(column),
        "numeric": is_number(column),
        "href": with_query(path, asked),
        "sorted": order if is_sorted else "",
    }


def _label(column: str) -> str:
    bare = column.removeprefix(SCORE).removeprefix("param_")
    return name(UNITS.get(column) or bare.replace("_", " "))


def _row(
    row: dict[str, Any], columns: Sequence[str], query: PageQuery
) -> dict[str, Any]:
    key = row["run_id"], row["sample_id"], row["epoch"]
    return {
        "href": LINKS.result(key, _asked(query)),
        "cells": [cell(column, row[column]) for column in columns],
    }


def _sample(request: Request, key: Key, query: PageQuery) -> Response:
    run_id, sample_id, epoch = key
    run = open_run(request, run_id)
    experiment = Experiment(store_of(request), run.experiment_id)
    found = experiment.opened(run.id, sample_id, epoch)
    epochs = experiment.record.task["epochs"]
    group = found.sample.group
    subject = [f"answer of {_title(run)}"]
    subject += [f"epoch {epoch} of {epochs}"] if epochs > 1 else []
    subject += [f"group {name(group)}"] if group else []
    return page(
        request,
        "sample.html.jinja",
        run=run,
        model=_title(run),
        title=f"Sample {name(sample_id)}",
        subject=", ".join(subject),
        opened=opened_state(found, experiment.record.task["prompt"], model=_title(run)),
        others=_others(experiment, run, sample_id, epoch),
        **_beside(request, run, key, query),
    )


def _beside(
    request: Request, run: RunRecord, key: Key, query: PageQuery
) -> dict[str, Any]:
    """The way back to the list, and to the results beside this one in it."""
    own = Experiment(store_of(request), run.experiment_id, only=[run.id])
    scorers = _scorers(own)
    found = find_beside(store_of(request), [run], query, scorers, key)
    asked, path = _asked(query), LINKS.run(run.id)
    if found is None:
        return {"back": with_query(path, asked), "pager": None}
    number = (found.place - 1) // SIZE + 1
    before, after = (
        LINKS.result(one, asked) if one else "" for one in (found.before, found.after)
    )
    narrowed = any((query.search, query.group, query.outcome != "all"))
    said = f"{found.place:,} of {found.found:,} results"
    return {
        "back": with_query(path, {**asked, "page": number if number > 1 else ""}),
        "pager": Pager(f"{said} that fit" if narrowed else said, before, after),
    }


def _others(experiment: Experiment, run: RunRecord, sample_id: str, epoch: int) -> Card:
    """What the other runs said to the sample in the same epoch."""
    from aistrale_lab.analysis.run_tables import model_names

    runs = experiment.runs
    names = dict(zip((r.id for r in runs), model_names(runs), strict=True))
    keys: list[Key] = [(r.id, sample_id, epoch) for r in runs if r.id != run.id]
    texts = experiment.excerpts(keys[:BESIDE], longest=LONGEST)
    scorer = next(iter(experiment.scorers), "")
    scores = experiment.scores(keys[:BESIDE], scorer)
    answers = [
        answer_of(
            name(names[key[0]]),
            texts[key],
            verdict_of(scores.get(key), scorer, scores.get(key) in (0, 1)),
            LINKS.result(key),
        )
        for key in keys
        if key in texts
    ]
    more = len(keys) - BESIDE
    remark = f"{more:,} more runs are left out" if more > 0 else ""
    return Card("", remark, passages=(), answers=answers)
