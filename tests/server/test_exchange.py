"""`push` and `pull` over HTTP: the sender's own, verified, idempotent."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from servers.team import TeamServer

from aistrale_lab.domain.tasks import Task
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.exchange import export_lines
from aistrale_lab.store.results import Store
from tests.store.conftest import EXPERIMENT, add_run, make_result

URL = "/api/v1/exchange"


@pytest.fixture
def lines(tmp_path: Any, task: Task) -> list[str]:
    """An experiment of another store, with one answer."""
    store = Store.open(f"sqlite:///{tmp_path}/mine.db")
    add_run(store, task)
    asyncio.run(store.recorder.save(make_result("q1")))
    found = list(export_lines(store, EXPERIMENT))
    store.close()
    return found


def send(client: httpx2.Client, lines: list[str]) -> httpx2.Response:
    return client.post(URL, content=(line.encode() for line in lines))


def test_what_is_sent_becomes_the_senders_and_a_second_time_nothing_is_new(
    team: TeamServer, ann: UserRecord, bob: UserRecord, lines: list[str]
) -> None:
    with team.bearer(ann) as client, team.bearer(bob) as other:
        first, second = send(client, lines), send(client, lines)
        stolen = send(other, lines)
        hidden = other.get(f"{URL}/experiments/{EXPERIMENT}")

    record = team.bench.store.get_experiment(EXPERIMENT)
    assert first.json()["results"] == 1
    assert set(second.json().values()) == {0}
    assert (record.owner, record.visibility) == (ann.id, "private")
    assert (stolen.status_code, hidden.status_code) == (404, 404)


def test_what_is_fetched_is_what_was_sent_and_tells_no_owner(
    team: TeamServer, ann: UserRecord, lines: list[str]
) -> None:
    with team.bearer(ann) as client:
        send(client, lines)
        answer = client.get(f"{URL}/experiments/{EXPERIMENT}")
        later = client.get(f"{URL}/experiments/{EXPERIMENT}", params={"after": 0})

    assert answer.text.splitlines() == [line.strip() for line in lines]
    kinds = [json.loads(line)["kind"] for line in later.text.splitlines()]
    assert kinds == ["aistrale", "experiment", "run", "result", "end"]


def test_a_team_experiment_of_anothers_is_not_changed(
    team: TeamServer, ann: UserRecord, bob: UserRecord, lines: list[str]
) -> None:
    with team.bearer(ann) as client, team.bearer(bob) as other:
        send(client, lines)
        team.bench.store.set_visibility(EXPERIMENT, "team")
        refused = send(other, lines)

    assert refused.status_code == 403
    assert team.bench.store.get_experiment(EXPERIMENT).owner == ann.id


def test_a_path_of_the_senders_machine_is_forgotten(
    team: TeamServer, ann: UserRecord, lines: list[str]
) -> None:
    told = [json.loads(line) for line in lines]
    told[1]["source"] = {"path": "/etc/passwd"}
    with team.bearer(ann) as client:
        answer = send(client, [json.dumps(line) + "\n" for line in told])

    assert answer.status_code == 200
    fingerprint = team.bench.store.get_experiment(EXPERIMENT).dataset
    assert team.bench.store.get_dataset(fingerprint).source is None


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe\n", b"null\n" * 3])
def test_what_is_no_experiment_is_refused(
    team: TeamServer, ann: UserRecord, body: bytes
) -> None:
    with team.bearer(ann) as client:
        answer = client.post(URL, content=body)

    assert answer.status_code == 422
    assert answer.json()["error"]["error_type"] == "ValidationError"


def test_a_token_that_only_reads_does_not_push(
    team: TeamServer, ann: UserRecord, lines: list[str]
) -> None:
    with team.bearer(ann, frozenset({"read"})) as client:
        answer = send(client, lines)

    assert answer.status_code == 403
    assert team.bench.runs() == []
