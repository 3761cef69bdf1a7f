"""Two runs held against each other."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from aistrale_lab.analysis.summary import compare_object
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.shapes import Asked
from aistrale_lab.server.told import ID, seen_run

router = APIRouter(
    prefix="/api/v1/comparisons", route_class=GuardedRoute, tags=["comparisons"]
)

RunId = Annotated[str, Query(pattern=ID)]


class AskedComparison(Asked):
    """Which runs; `anyway` pairs runs of other datasets or prompts too."""

    baseline: str = Field(pattern=ID)
    candidate: str = Field(pattern=ID)
    anyway: bool = False


@router.get("", responses=describe_errors(404))
@door(USER("read"))
def compare(
    baseline: RunId, candidate: RunId, request: Request, anyway: bool = False
) -> dict[str, Any]:
    """What `aistrale compare --json` prints: candidate minus baseline, paired."""
    return _compare(request, baseline, candidate, anyway)


@router.post("", responses=describe_errors(404))
@door(USER("read"))
def compare_asked(asked: AskedComparison, request: Request) -> dict[str, Any]:
    """The same, asked with a body; nothing is stored."""
    return _compare(request, asked.baseline, asked.candidate, asked.anyway)


def _compare(
    request: Request, baseline: str, candidate: str, anyway: bool
) -> dict[str, Any]:
    runs = [seen_run(request, which) for which in (baseline, candidate)]
    return compare_object(request.app.state.bench.compare(*runs, anyway=anyway))
