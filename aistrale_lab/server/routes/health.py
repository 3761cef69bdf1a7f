"""Whether the server runs, and whether it can work: for what watches over it."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import literal, select

from aistrale_lab.server.doors import OPEN, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors

router = APIRouter(route_class=GuardedRoute, tags=["health"])


class Health(BaseModel):
    """It is well; otherwise the answer is an error."""

    status: Literal["ok"] = "ok"


@router.get("/health")
@door(OPEN)
async def health() -> Health:
    """The process answers; the database is not asked."""
    return Health()


@router.get("/ready", responses=describe_errors(503))
@door(OPEN)
def ready(request: Request) -> Health:
    """The database answers too; else 503."""
    request.app.state.bench.store.read(select(literal(1)))
    return Health()
