"""Experiments: listed, started, cancelled, resumed, shared, and their summaries."""

from functools import partial
from itertools import product
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from aistrale_lab.analysis.summary import run_objects
from aistrale_lab.errors import ConflictError, NotFoundError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.experiment import Experiment as StoredExperiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.plan import expand_sweep
from aistrale_lab.server.background import begin
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.lanes import lane_object
from aistrale_lab.server.shapes import Asked, Page
from aistrale_lab.server.tasks import (
    MAX_BODY,
    AskedRuns,
    check_allowed,
    settings_of,
    task_of,
    within_limit,
)
from aistrale_lab.server.told import (
    ID,
    Experiment,
    Limit,
    StoredId,
    own_experiment,
    seen_experiment,
    tell,
)
from aistrale_lab.server.work import Work
from aistrale_lab.store.listing import page_of_experiments
from aistrale_lab.store.records import Visibility

router = APIRouter(
    prefix="/api/v1/experiments", route_class=GuardedRoute, tags=["experiments"]
)


class AskedExperiment(AskedRuns):
    """An experiment to be started. The same again goes on with the one that is there."""

    tags: dict[str, str] = Field(default_factory=dict, max_length=50)
    visibility: Visibility = "private"
    fresh: bool = False


class Begun(Experiment):
    """An experiment under way, with its lanes as `/events` tells them."""

    lanes: list[dict[str, Any]]

    @classmethod
    def under(cls, handle: RunHandle[Any], request: Request) -> "Begun":
        """What is told of a run that has just begun."""
        lanes = [lane_object(lane) for lane in handle.lanes]
        known = tell(request, handle.experiment_id)
        return cls(**known.model_dump(), lanes=lanes)


class Changes(Asked):
    """Who sees it."""

    visibility: Visibility


class Resumed(Asked):
    """How to go on; `failed` sends permanent errors again too."""

    failed: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    run: str | None = Field(default=None, pattern=ID)
    """Only this run of it."""


@router.get("", responses=describe_errors(404))
@door(USER("read"))
def list_experiments(
    request: Request,
    begins: Annotated[str, Query(max_length=40)] = "",
    cursor: Annotated[str | None, Query(pattern=ID)] = None,
    limit: Limit = 50,
) -> Page[Experiment]:
    """Those that the caller sees, newest first; `begins` is of their or a run's id."""
    store = request.app.state.bench.store
    found, more = page_of_experiments(
        store, caller_of(request).viewer, begins=begins, cursor=cursor, limit=limit
    )
    runs = store.runs_of_all([record.id for record in found])
    told = [Experiment.of(record, runs[record.id], request) for record in found]
    return Page(items=told, next=more)


@router.post("", status_code=202, responses=describe_errors(402, 404, 409, 413))
@door(USER("write", max_body=MAX_BODY))
def start(asked: AskedExperiment, request: Request) -> Begun:
    """Start it as background work; `/events` tells how far it is."""
    task = task_of(asked, request)
    owner = caller_of(request).user_id
    named = {"name": asked.name, "owner": owner}
    start = partial(
        _bench(request).start,
        task,
        asked.models,
        **named,
        tags=asked.tags,
        fresh=asked.fresh,
        visibility=asked.visibility,
    )
    find = partial(_bench(request).find, task, asked.models, **named, **asked.options)
    points = [config for _, config in expand_sweep(task)]
    work = Work(task, list(product(asked.models, points)))
    with request.app.state.turns.of(owner, task.dataset.fingerprint):
        under_way = None if asked.fresh else _under_way(request, find())
        handle = under_way or begin(request, asked.options, start, work)
    return Begun.under(handle, request)


@router.get("/{experiment_id}", responses=describe_errors(404))
@door(USER("read"))
def get_experiment(experiment_id: StoredId, request: Request) -> Experiment:
    """An experiment with its runs."""
    return tell(request, seen_experiment(request, experiment_id).id)


@router.patch("/{experiment_id}", responses=describe_errors(404))
@door(USER("write"))
def share(experiment_id: StoredId, asked: Changes, request: Request) -> Experiment:
    """Say who sees it: its owner alone, or the team."""
    own_experiment(request, experiment_id)
    _bench(request).store.set_visibility(experiment_id, asked.visibility)
    return tell(request, experiment_id)


@router.post("/{experiment_id}/cancel", status_code=202, responses=describe_errors(404))
@door(USER("write"))
def cancel(experiment_id: StoredId, request: Request) -> Experiment:
    """Send no more, and keep what is done; of one that has ended, nothing.

    One that another process executes, such as a second server over the same store, is
    asked to stop, and does so within seconds.
    """
    own_experiment(request, experiment_id)
    _bench(request).attach(experiment_id).cancel()
    return tell(request, experiment_id)


@router.post(
    "/{experiment_id}/resume",
    status_code=202,
    responses=describe_errors(402, 404, 409),
)
@door(USER("write"))
def resume(experiment_id: StoredId, asked: Resumed, request: Request) -> Begun:
    """Send what is missing, as background work.

    What was begun without a limit of tokens, such as on the store itself, goes on with
    the server's.
    """
    own_experiment(request, experiment_id)
    bench = _bench(request)
    runs = bench.store.runs_of(experiment_id)
    task = within_limit(bench.store.load_task(experiment_id), request)
    models = tuple(dict.fromkeys(run.model for run in runs))
    check_allowed(task, models, request, lanes=len(runs))
    meant = [run for run in runs if asked.run in (None, run.id)]
    if not meant:
        raise NotFoundError(f"the experiment has no run {asked.run!r}")
    settings = partial(settings_of, request=request)
    which = asked.run or experiment_id
    start = partial(bench.start_resume, which, failed=asked.failed, settings=settings)
    work = Work(task, [(run.model, settings(run)) for run in meant])
    with request.app.state.turns.of(experiment_id):
        busy = bench.store.owner_of([run.id for run in runs])
        if busy is not None or not bench.attach(experiment_id).done():
            raise ConflictError("it is being executed already")
        handle = begin(request, asked.options, start, work)
    return Begun.under(handle, request)


@router.get("/{experiment_id}/summary", responses=describe_errors(404))
@door(USER("read"))
def summary(experiment_id: StoredId, request: Request) -> list[dict[str, Any]]:
    """What `aistrale run --json` prints of each run."""
    seen_experiment(request, experiment_id)
    experiment = _bench(request).experiment(experiment_id)
    runs, results = experiment.runs, experiment.measures_df()
    return run_objects(runs, results, experiment.summary_df())


def _under_way(
    request: Request, found: StoredExperiment | None
) -> RunHandle[Any] | None:
    """The handle of an experiment that is executed, which uses no more of the money."""
    if found is None:
        return None
    handle = _bench(request).attach(found.id)
    return None if handle.done() else handle


def _bench(request: Request) -> Lab:
    bench: Lab = request.app.state.bench
    return bench
