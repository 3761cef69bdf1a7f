"""The buttons of an experiment's page: stop, resume, and who sees it."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import LabError
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.pages.forms import checked, one, read_form
from aistrale_lab.server.pages.refusals import beside_form
from aistrale_lab.server.routes import experiments
from aistrale_lab.server.routes.experiment_pages import one_page

router = APIRouter(
    prefix="/experiments/{experiment_id}",
    route_class=GuardedRoute,
    include_in_schema=False,
)


def _again(request: Request, *, error: LabError) -> Response:
    """The page of the experiment, and why it was refused."""
    return one_page(request, request.path_params["experiment_id"], error=error)


@router.post("/cancel")
@door(SESSION)
@beside_form(_again)
async def cancel(experiment_id: str, request: Request) -> Response:
    """Stop the runs; the page then follows them to their end."""
    await run_in_threadpool(experiments.cancel, experiment_id, request)
    return RedirectResponse(f"/experiments/{experiment_id}?stopping=1", 303)


@router.post("/resume")
@door(SESSION)
@beside_form(_again)
async def resume(experiment_id: str, request: Request) -> Response:
    """Send what is missing; if asked for, also what failed for good."""
    failed = bool(one(await read_form(request), "failed"))
    asked = experiments.Resumed(failed=failed)
    await run_in_threadpool(experiments.resume, experiment_id, asked, request)
    return RedirectResponse(f"/experiments/{experiment_id}", 303)


@router.post("/visibility")
@door(SESSION)
@beside_form(_again)
async def share(experiment_id: str, request: Request) -> Response:
    """Show the experiment to the team, or to its owner alone."""
    fields = await read_form(request)
    asked = checked(experiments.Changes, visibility=one(fields, "visibility"))
    await run_in_threadpool(experiments.share, experiment_id, asked, request)
    return RedirectResponse(f"/experiments/{experiment_id}", 303)
