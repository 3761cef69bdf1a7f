"""Runs, and their results a page at a time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.shapes import Page
from aistrale_lab.server.told import Limit, Run, StoredId, seen_run
from aistrale_lab.store.page_search import Outcome, PageQuery
from aistrale_lab.store.pages import read_page

router = APIRouter(prefix="/api/v1/runs", route_class=GuardedRoute, tags=["runs"])

FURTHEST = 10**9

Text = Annotated[str, Query(max_length=200)]


class Results(Page[dict[str, Any]]):
    """Some results; `found` fit what was asked, of `total`."""

    found: int
    total: int


@router.get("/{run_id}", responses=describe_errors(404))
@door(USER("read"))
def get_run(run_id: StoredId, request: Request) -> Run:
    """A run, and how far it came."""
    return Run.of(seen_run(request, run_id))


@router.get("/{run_id}/results", responses=describe_errors(404))
@door(USER("read"))
def list_results(
    run_id: StoredId,
    request: Request,
    sort: Text = "",
    descending: bool = False,
    search: Text = "",
    outcome: Annotated[Outcome, Query(alias="filter")] = "all",
    scorer: Text = "",
    group: Text = "",
    cursor: Annotated[int, Query(ge=0, le=FURTHEST)] = 0,
    limit: Limit = 50,
) -> Results:
    """Results, sorted, searched and filtered by the store; see `PageQuery`.

    `cursor` is the `next` of the page before. Long texts are cut: `/exchange` has all.
    """
    run = seen_run(request, run_id)
    bench = request.app.state.bench
    experiment = bench.experiment(run.experiment_id)
    columns = experiment.columns()
    query = PageQuery(
        sort=sort,
        descending=descending,
        search=search,
        outcome=outcome,
        scorer=scorer,
        group=group,
        offset=cursor,
        limit=limit,
    )
    scorers = [c.removeprefix("score_") for c in columns if c.startswith("score_")]
    page = read_page(bench.store, [run], query, _own(columns, run.params), scorers)
    more = cursor + len(page.rows)
    return Results(
        items=list(page.rows),
        next=str(more) if page.rows and more < page.found else None,
        found=page.found,
        total=page.total,
    )


def _own(columns: list[str], params: dict[str, Any]) -> list[str]:
    """The columns that a run has: the parameters are its own."""
    known = {f"param_{name}" for name in params}
    return [c for c in columns if not c.startswith("param_") or c in known]
