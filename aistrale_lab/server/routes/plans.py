"""Plans: what an experiment would take, and what it could show."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from aistrale_lab.lab.bench import Lab
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.tasks import MAX_BODY, AskedRuns, task_of
from aistrale_lab.server.told import ID, seen_experiment

router = APIRouter(prefix="/api/v1/plans", route_class=GuardedRoute, tags=["plans"])


class AskedPlan(AskedRuns):
    """What is to be forecast; see `Lab.plan`."""

    pilot: str | None = Field(default=None, pattern=ID)
    effect: float | None = Field(default=None, gt=0, le=1)
    output_tokens: int | None = Field(default=None, ge=1, le=10**9)


class Plan(BaseModel):
    """The forecast, and the experiment that a start would go on with, if any."""

    lanes: list[dict[str, Any]]
    power: dict[str, Any]
    pilot: str | None
    earlier: str | None


@router.post("", responses=describe_errors(404, 413))
@door(USER("read", max_body=MAX_BODY))
def plan(asked: AskedPlan, request: Request) -> Plan:
    """What it would take and what it could show; nothing is sent."""
    task = task_of(asked, request)
    bench: Lab = request.app.state.bench
    if asked.pilot is not None:
        seen_experiment(request, asked.pilot)
    found = bench.plan(
        task,
        asked.models,
        pilot=asked.pilot,
        effect=asked.effect,
        output_tokens=asked.output_tokens,
        **asked.options,
    )
    earlier = bench.find(
        task, asked.models, name=asked.name, owner=caller_of(request).user_id
    )
    return Plan(**asdict(found), earlier=earlier.id if earlier else None)
