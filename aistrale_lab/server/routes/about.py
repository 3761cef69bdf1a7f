"""What the server says of itself: its metrics, and what its routes take and give."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from aistrale_lab.server.doors import ANYBODY, METRICS, GuardedRoute, door
from aistrale_lab.server.openapi import document

router = APIRouter(route_class=GuardedRoute, tags=["about"])


class Exposition(Response):
    """Metrics in Prometheus' text format."""

    media_type = CONTENT_TYPE_LATEST


@router.get("/metrics", response_class=Exposition)
@door(METRICS)
def metrics(request: Request) -> Response:
    """The metrics of this process."""
    return Exposition(generate_latest(request.app.state.metrics.registry))


@router.get("/openapi.json")
@door(ANYBODY)
def openapi(request: Request) -> dict[str, Any]:
    """This document."""
    return document(request.app)
