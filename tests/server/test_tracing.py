"""Requests to the team server as spans, with the calls that they make inside."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind
from servers.observed import Observed, observed
from servers.team import TeamServer

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
DURATION = "http.server.request.duration"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def seen(environment: None, store_url: str, tmp_path: Path) -> Iterator[Observed]:
    with observed(store_url, tmp_path) as seen:
        yield seen


@pytest.fixture
def traced(seen: Observed) -> Iterator[TeamServer]:
    with TeamServer(seen.bench) as server:
        yield server


def test_a_call_is_a_child_of_its_request_in_the_trace_of_the_caller(
    traced: TeamServer, seen: Observed
) -> None:
    ann = traced.add_user("ann")
    asked = {"model": "openai/large", "inputs": "What is 2 + 2?"}

    with traced.bearer(ann) as client:
        answer = client.post(
            "/api/v1/inference?k=secret",
            json=asked,
            headers={"traceparent": TRACEPARENT},
        )

    assert answer.status_code == 200, answer.text
    (call,) = seen.spans_named("chat large")
    seen.wait_for("POST /api/v1/inference")
    (request,) = seen.spans_named("POST /api/v1/inference")
    assert request.kind is SpanKind.SERVER
    assert request.parent is not None and call.parent is not None
    assert f"{request.parent.span_id:016x}" == CALLER
    assert f"{request.context.trace_id:032x}" == TRACE
    assert call.parent.span_id == request.context.span_id
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/inference",
        "http.response.status_code": 200,
        "url.path": "/api/v1/inference",
        "url.scheme": "http",
    }


def test_a_request_that_no_route_takes_has_no_name_of_the_clients(
    traced: TeamServer, seen: Observed
) -> None:
    with traced.visitor(traceparent="no traceparent") as client:
        answers = [client.get("/nowhere/at/all"), client.request("BREW", "/health")]

    assert all(answer.status_code in (404, 405) for answer in answers)
    seen.wait_for("GET", "HTTP")
    assert sorted(span.name for span in seen.spans) == ["GET", "HTTP"]
    assert [span.parent for span in seen.spans] == [None, None]
    measured = [dict(point.attributes) for point in seen.points(DURATION)]
    methods = sorted(point["http.request.method"] for point in measured)
    assert methods == ["GET", "_OTHER"]
    assert not any("http.route" in point for point in measured)


def test_how_long_requests_take_is_measured_by_route_and_status(
    traced: TeamServer, seen: Observed
) -> None:
    with traced.visitor() as client:
        client.get("/health?k=secret")
        client.get("/api/v1/models")

    seen.wait_for("GET /health", "GET /api/v1/models")
    found = {point.attributes["http.route"]: point for point in seen.points(DURATION)}
    assert {route: dict(point.attributes) for route, point in found.items()} == {
        route: {
            "http.request.method": "GET",
            "http.route": route,
            "http.response.status_code": status,
            "url.scheme": "http",
        }
        for route, status in (("/health", 200), ("/api/v1/models", 401))
    }
    assert found["/health"].count == 1
    assert found["/health"].explicit_bounds[0] == 0.005


def test_a_failed_request_and_its_line_in_the_log_bear_the_same_ids(
    traced: TeamServer, seen: Observed
) -> None:
    ann = traced.add_user("ann")
    asked = {"model": "openai/unknown", "inputs": "What is 2 + 2?"}

    with traced.bearer(ann) as client:
        answer = client.post("/api/v1/inference", json=asked)

    seen.wait_for("POST /api/v1/inference")
    (request,) = seen.spans_named("POST /api/v1/inference")
    lines = [json.loads(line) for line in seen.log_path.read_text().splitlines()]
    failed = next(line for line in lines if line["event"] == "request_failed")
    assert (request.attributes or {})["http.response.status_code"] == answer.status_code
    assert failed["trace_id"] == f"{request.context.trace_id:032x}"
    assert failed["span_id"] == f"{request.context.span_id:016x}"
