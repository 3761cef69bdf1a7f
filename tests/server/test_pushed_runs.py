"""A pushed run says what it likes; what the server sends and counts is its own affair."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers.recorded import RecordedServer
from servers.team import TeamServer

import aistrale_lab as lab
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.exchange import export_lines

API = "/api/v1"
Line = dict[str, Any]


@pytest.fixture
def made(environment: None, task: lab.Task, tmp_path: Path) -> list[Line]:
    """An experiment of a sender's own store: four runs, of which no answer came."""
    samples = task.dataset.samples[:2]
    mine = lab.Task(
        dataset=lab.Dataset(name="two", samples=samples),
        config=lab.GenerateConfig(max_tokens=10),
        sweep={"seed": (1, 2, 3, 4)},
    )
    with lab.Lab.open(f"sqlite:///{tmp_path}/mine.db") as bench:
        found = lab.wait(bench.run, mine, models=["openai/absent"])
        return [json.loads(line) for line in export_lines(bench.store, found.id)]


def of_kind(lines: list[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["kind"] == kind]


def push(client: httpx2.Client, lines: list[Line]) -> httpx2.Response:
    body = "".join(json.dumps(line) + "\n" for line in lines)
    return client.post(f"{API}/exchange", content=body.encode())


def test_a_pushed_run_is_gone_on_with_only_within_the_servers_limits(
    team: TeamServer, ann: UserRecord, made: list[Line], server: RecordedServer
) -> None:
    beyond: list[Line] = [
        {"max_tokens": 10**6},
        {"tools": [{"type": "web_search"}]},
        {"extra": {"n": 100, "service_tier": "priority"}},
    ]
    runs = of_kind(made, "run")
    for run, config in zip(runs, beyond, strict=False):
        run["config"] |= config
    before = server.calls.total()
    path = f"{API}/experiments/{of_kind(made, 'experiment')[0]['id']}"
    with team.bearer(ann) as client:
        assert push(client, made).status_code == 200
        asked = [{"failed": True, "run": run["id"]} for run in runs]
        *refused, allowed = [client.post(f"{path}/resume", json=one) for one in asked]
        client.get(f"{path}/events")

    said = [answer.json()["error"]["message"] for answer in refused]
    assert [answer.status_code for answer in refused] == [422] * 3
    assert [text.partition(": ")[0] for text in said] == [
        f"run {run['id']}" for run in runs[:3]
    ]
    assert "config.max_tokens: an answer may have 4096 tokens" in said[0]
    assert "config.tools" in said[1] and "config.extra: n" in said[2]
    assert allowed.status_code == 202, allowed.text
    assert server.calls.total() == before + 2, "only what the last run lacks was sent"
