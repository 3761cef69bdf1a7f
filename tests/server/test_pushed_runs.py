"""A pushed run says what it likes; what the server sends and counts is its own affair."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
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


Make = Callable[[str], list[Line]]
"""Runs two samples at four seeds in a sender's own store, and tells the experiment."""


@pytest.fixture
def make(priced: None, task: lab.Task, tmp_path: Path) -> Make:
    mine = lab.Task(
        dataset=lab.Dataset(name="two", samples=task.dataset.samples[:2]),
        config=lab.GenerateConfig(max_tokens=10),
        sweep={"seed": (1, 2, 3, 4)},
    )

    def make(model: str) -> list[Line]:
        with lab.Lab.open(f"sqlite:///{tmp_path}/mine.db") as bench:
            found = lab.wait(bench.run, mine, models=[model])
            return [json.loads(line) for line in export_lines(bench.store, found.id)]

    return make


def of_kind(lines: list[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["kind"] == kind]


def push(client: httpx2.Client, lines: list[Line]) -> httpx2.Response:
    body = "".join(json.dumps(line) + "\n" for line in lines)
    return client.post(f"{API}/exchange", content=body.encode())


def test_a_pushed_run_is_gone_on_with_only_within_the_servers_limits(
    make: Make, team: TeamServer, ann: UserRecord, server: RecordedServer
) -> None:
    made = make("openai/absent")
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


def test_a_pushed_experiment_that_says_it_is_another_is_not_gone_on_with(
    make: Make, team: TeamServer, ann: UserRecord, server: RecordedServer
) -> None:
    made = make("openai/absent")
    (experiment,) = of_kind(made, "experiment")
    (dataset,) = of_kind(made, "dataset")
    task = {**experiment["task"], "dataset": dataset["fingerprint"]}
    asked = {"task": task, "models": ["openai/absent"]}
    of_kind(made, "run")[0]["config"]["max_tokens"] = 10**6
    before = server.calls.total()
    with team.bearer(ann) as client:
        assert push(client, made).status_code == 200
        refused = client.post(f"{API}/experiments", json=asked)
        fresh = client.post(f"{API}/experiments", json={**asked, "fresh": True})
        client.get(f"{API}/experiments/{fresh.json()['id']}/events")

    assert refused.status_code == 422
    assert "asks something else" in refused.json()["error"]["message"]
    assert fresh.status_code == 202 and fresh.json()["id"] != experiment["id"]
    assert server.calls.total() > before, "what is new is sent"


def ask(client: httpx2.Client) -> httpx2.Response:
    """A call that costs a cent, and can cost ten."""
    asked = {"model": "openai/large", "inputs": "What is 2 + 2?"}
    return client.post(f"{API}/inference", json={**asked, "config": {"max_tokens": 10}})


def test_nobody_spends_anothers_money_by_a_push(
    make: Make, team: TeamServer, ann: UserRecord, bob: UserRecord
) -> None:
    team.app.state.accounts.change(bob.id, {"budget_usd": "0.10"})
    made = make("openai/large")
    for run in of_kind(made, "run"):
        run["origin"] = {"notebook": "mine.ipynb", "for_user": bob.id}
    for result in of_kind(made, "result"):
        result["cost_usd"] = "1000000"
    with team.bearer(ann) as eve, team.bearer(bob) as client:
        first, again = push(eve, made), push(eve, made)
        call = ask(client)

    assert first.json()["results"] == 8 and set(again.json().values()) == {0}
    assert {json.dumps(run.origin) for run in team.bench.runs()} == {
        '{"notebook": "mine.ipynb"}'
    }
    assert call.status_code == 200, call.text


def test_what_is_less_than_nothing_is_refused(
    make: Make, team: TeamServer, ann: UserRecord
) -> None:
    made = make("openai/large")
    result = of_kind(made, "result")[1]
    whole = dict(result)
    wrong: list[Line] = [
        {"cost_usd": "-1000000"},
        {"cost_usd": "1E99"},
        {"cost_usd": "1.2.3"},
        {"input_tokens": -1},
        {"duration_s": -0.5},
    ]
    answers = []
    with team.bearer(ann) as client:
        for fields in wrong:
            result |= {**whole, **fields}
            answers.append(push(client, made))

    assert [answer.status_code for answer in answers] == [422] * len(wrong)
    for answer, fields in zip(answers, wrong, strict=True):
        said = answer.json()["error"]["message"]
        assert f", result: {''.join(fields)}: " in said


def test_what_the_server_sends_for_a_pushed_run_is_paid_and_not_forgotten(
    make: Make, team: TeamServer, bob: UserRecord
) -> None:
    """Eight answers at a cent each; a newer one that was free does not replace them."""
    team.app.state.accounts.change(bob.id, {"budget_usd": "0.87"})
    made = make("openai/large")
    unsent = [line for line in made if line["kind"] not in ("result", "end")]
    unsent.append({**made[-1], "results": 0})
    path = f"{API}/experiments/{of_kind(made, 'experiment')[0]['id']}"
    with team.bearer(bob) as client:
        assert push(client, unsent).status_code == 200
        resumed = client.post(f"{path}/resume", json={})
        client.get(f"{path}/events")
        for result in of_kind(made, "result"):
            result |= {"started_at": datetime.now(UTC).isoformat(), "cost_usd": "0"}
        once, again = push(client, made), push(client, made)
        enough = ask(client)
        team.app.state.accounts.change(bob.id, {"budget_usd": "0.18"})
        too_little = ask(client)

    assert resumed.status_code == 202, resumed.text
    assert once.status_code == 200, once.text
    assert (once.json()["replaced"], once.json()["attempts"]) == (0, 8)
    assert set(again.json().values()) == {0}
    assert (enough.status_code, too_little.status_code) == (200, 402)
    assert "0.09 USD are left" in too_little.json()["error"]["message"]
