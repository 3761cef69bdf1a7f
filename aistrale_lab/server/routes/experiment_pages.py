"""The experiments as pages: all of them, one of them, and how far that one is."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import LabError
from aistrale_lab.report.describe import describe, describe_so_far
from aistrale_lab.report.description import Report
from aistrale_lab.report.render import html
from aistrale_lab.report.texts import name
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.pages.kept import in_thread
from aistrale_lab.server.pages.links import HOME, LINKS
from aistrale_lab.server.pages.paging import make_pager
from aistrale_lab.server.pages.reading import (
    is_executed,
    is_running,
    open_experiment,
    state_of,
)
from aistrale_lab.server.pages.refusals import told_of
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.pages.words import Number, Words
from aistrale_lab.store.experiments import list_experiments
from aistrale_lab.store.records import ExperimentRecord, RunRecord

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

SIZE = 25
"""Experiments on a page."""


@router.get("/")
@door(SESSION)
async def home() -> Response:
    """The experiments are the first page."""
    return RedirectResponse(HOME, 303)


@router.get("/experiments")
@door(SESSION)
async def experiments(
    request: Request, search: Words = "", page: Number = 1
) -> Response:
    """All experiments that the caller sees, newest first."""
    return await in_thread(request, _list, request, search, page)


@router.get("/experiments/{experiment_id}")
@door(SESSION)
async def experiment(
    experiment_id: str, request: Request, whole: bool = False
) -> Response:
    """One experiment; `whole` also while its runs go on."""
    return await in_thread(request, one_page, request, experiment_id, whole)


@router.get("/experiments/{experiment_id}/progress")
@door(SESSION)
async def progress(experiment_id: str, request: Request) -> Response:
    """How far the runs are, as a part of the page that asks again and again."""
    return await in_thread(request, _progress, request, experiment_id)


@router.get("/experiments/{experiment_id}/report")
@door(SESSION)
async def report(experiment_id: str, request: Request) -> Response:
    """The report as a file that stands alone."""
    return await in_thread(request, _report, request, experiment_id)


def _list(request: Request, search: str, number: int) -> Response:
    found = list_experiments(
        request.app.state.bench.store,
        caller_of(request).viewer,
        search=search,
        offset=(number - 1) * SIZE,
        limit=SIZE,
    )
    pager = make_pager(
        HOME,
        {"search": search},
        page=number,
        size=SIZE,
        found=found.found,
        what="experiments",
    )
    return page(
        request,
        "experiments.html.jinja",
        entries=found.entries,
        pager=pager,
        search=search,
    )


def one_page(
    request: Request,
    experiment_id: str,
    whole: bool = False,
    *,
    error: LabError | None = None,
) -> Response:
    """At once what takes no time; the script of the page then asks for the whole."""
    experiment = open_experiment(request, experiment_id)
    runs, state = experiment.runs, state_of(request, experiment)
    executed = is_executed(request, experiment_id)
    going, kept = executed or is_running(runs), request.app.state.kept
    is_whole = whole or (not going and ("described", True, *state) in kept)
    make = describe if is_whole else describe_so_far
    report: Report = kept.get(
        ("described", is_whole, *state), lambda: make(experiment, links=LINKS)
    )
    return page(
        request,
        "experiment.html.jinja",
        **told_of(error),
        report=report,
        record=experiment.record,
        lanes=runs,
        runs=_named(runs),
        going=going,
        is_whole=is_whole,
        **_steering(request, experiment.record, runs, executed),
    )


def _steering(
    request: Request,
    record: ExperimentRecord,
    runs: Sequence[RunRecord],
    executed: bool,
) -> dict[str, Any]:
    """What the caller may do to the experiment, and who sees it."""
    viewer = caller_of(request).viewer
    seen_by = "Private" if record.visibility == "private" else "Shared with the team"
    return {
        "may_change": viewer.may_change(record),
        "seen_by": seen_by if record.owner else "",
        "executed": executed,
        "stopping": executed and "stopping" in request.query_params,
        "missing": any(run.status is not RunStatus.COMPLETED for run in runs),
        "failed": any(run.failed for run in runs),
    }


def _progress(request: Request, experiment_id: str) -> Response:
    runs = open_experiment(request, experiment_id).runs
    return page(
        request,
        "progress.html.jinja",
        experiment_id=experiment_id,
        lanes=runs,
        going=is_running(runs) or is_executed(request, experiment_id),
    )


def _report(request: Request, experiment_id: str) -> Response:
    experiment = open_experiment(request, experiment_id)
    key = ("report", *state_of(request, experiment))
    text = request.app.state.kept.get(key, lambda: html(describe(experiment)))
    return Response(
        text.encode("utf-8", "replace"),
        media_type="text/html",
        headers={"content-disposition": f'attachment; filename="{experiment.id}.html"'},
    )


def _named(runs: Sequence[RunRecord]) -> list[tuple[str, str]]:
    from aistrale_lab.analysis.run_tables import model_names

    ids = (run.id for run in runs)
    return list(zip(ids, map(name, model_names(runs)), strict=True))
