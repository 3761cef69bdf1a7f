"""Experiments over the API: started, followed, cancelled, resumed, shared, asked."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from servers.acted import ActedServer
from servers.team import TeamServer, serving

import aistrale_lab as lab
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.leases import DIED

API = "/api/v1"
SUMS = [
    {"id": f"q{n}", "input": f"What is {n} and 100 ?", "target": str(n + 100)}
    for n in range(1, 9)
]

EIGHT = range(8)


@pytest.fixture
def provider(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ActedServer]:
    with ActedServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


@pytest.fixture
def bench(provider: ActedServer, store_url: str) -> Iterator[lab.Lab]:
    with lab.Lab.open(store_url) as bench:
        yield bench


def asked(*models: str, **changes: Any) -> dict[str, Any]:
    """The body that starts a task of sums."""
    task = {"dataset": {"name": "sums", "samples": SUMS}, "scorers": ["number"]}
    named = list(models or ["openai/right"])
    return {"task": task | changes.pop("task", {}), "models": named, **changes}


def start(client: httpx2.Client, *models: str, **changes: Any) -> dict[str, Any]:
    """Start and see it through; how the experiment then stands."""
    begun = client.post(f"{API}/experiments", json=asked(*models, **changes))
    assert begun.status_code == 202, begun.text
    events = follow(client, begun.json()["id"])
    assert events[-1][0] == "end"
    found: dict[str, Any] = get(client, f"/experiments/{begun.json()['id']}")
    return found


def get(client: httpx2.Client, path: str, **params: Any) -> Any:
    answer = client.get(f"{API}{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stop(client: httpx2.Client, path: str) -> None:
    """Cancel an experiment, drop what is in flight, and see its end."""
    for _ in range(2):
        assert client.post(f"{path}/cancel").status_code == 202
    follow(client, path.rpartition("/")[2])


def follow(client: httpx2.Client, experiment_id: str) -> list[tuple[str, Any]]:
    """The events of an experiment to their end: name and content."""
    found, name = [], ""
    with client.stream("GET", f"{API}/experiments/{experiment_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def wait_for_lane(client: httpx2.Client, experiment_id: str, model: str) -> None:
    """Follow the events until a model has answered everything."""
    with client.stream("GET", f"{API}/experiments/{experiment_id}/events") as answer:
        for line in answer.iter_lines():
            lanes = line.removeprefix("data: ") if line.startswith("data: [") else "[]"
            ended = [one["model"] for one in json.loads(lanes) if one["done"] == 8]
            if model in ended:
                return


def test_a_started_experiment_is_followed_to_its_end(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.browser(ann) as client:
        found = start(client, "openai/right", "openai/picky", tags={"for": "test"})
        lanes = follow(client, found["id"])[0][1]
        summary = get(client, f"/experiments/{found['id']}/summary")

    assert [run["status"] for run in found["runs"]] == ["completed", "completed"]
    assert (found["owner"], found["visibility"]) == (ann.id, "private")
    assert [lane["skipped"] + lane["done"] for lane in lanes] == [8, 8]
    assert [run["failed"] for run in summary] == [0, 1]
    assert summary[0]["metrics"]["number"]["value"] == 1.0


def test_the_same_again_goes_on_with_what_is_there_and_is_no_others(
    team: TeamServer, ann: UserRecord, bob: UserRecord, provider: ActedServer
) -> None:
    with team.browser(ann) as first, team.browser(bob) as second:
        once, again = start(first), start(first)
        fresh = start(first, fresh=True)
        bobs = start(second)

    assert once["id"] == again["id"]
    assert len({once["id"], fresh["id"], bobs["id"]}) == 3
    assert bobs["owner"] == bob.id


def test_a_slow_run_is_cancelled_and_one_that_is_answered_stays_finished(
    team: TeamServer, ann: UserRecord
) -> None:
    slow = asked("openai/stuck", "openai/right", options={"retries": 0})
    with team.browser(ann) as client:
        begun = client.post(f"{API}/experiments", json=slow).json()
        wait_for_lane(client, begun["id"], "openai/right")
        path = f"{API}/experiments/{begun['id']}"
        busy = client.post(f"{path}/resume", json={})
        first = client.post(f"{path}/cancel")
        second = client.post(f"{path}/cancel")
        events = follow(client, begun["id"])
        stopped = get(client, f"/experiments/{begun['id']}")

    assert (first.status_code, second.status_code) == (202, 202)
    assert (busy.status_code, busy.json()["error"]["error_type"]) == (
        409,
        "ConflictError",
    )
    assert events[-1] == ("end", {"failure": None})
    assert [(run["status"], run["reason"]) for run in stopped["runs"]] == [
        ("interrupted", "stopped"),
        ("completed", None),
    ]


def test_what_is_asked_eight_times_at_once_is_begun_once(
    team: TeamServer, ann: UserRecord, provider: ActedServer
) -> None:
    body = asked("openai/stuck", options={"retries": 0})
    with team.browser(ann) as client, ThreadPoolExecutor(8) as pool:
        begun = [
            *pool.map(lambda _: client.post(f"{API}/experiments", json=body), EIGHT)
        ]
        provider.wait_for_calls(8)
        again = client.post(f"{API}/experiments", json=body)
        path = f"{API}/experiments/{again.json()['id']}"
        stop(client, path)
        resumed = [*pool.map(lambda _: client.post(f"{path}/resume", json={}), EIGHT)]
        provider.wait_for_calls(16)
        stop(client, path)
        stopped = get(client, path.removeprefix(API))

    assert {answer.json()["id"] for answer in begun} == {again.json()["id"]}
    assert {answer.status_code for answer in [*begun, again]} == {202}
    assert sorted(answer.status_code for answer in resumed) == [202] + [409] * 7
    assert provider.calls.total() == 16
    assert stopped["runs"][0]["status"] == "interrupted"


def test_what_is_missing_is_sent_on_request(team: TeamServer, ann: UserRecord) -> None:
    with team.browser(ann) as client:
        found = start(client, "openai/picky")
        resumed = client.post(
            f"{API}/experiments/{found['id']}/resume",
            json={"failed": True, "run": found["runs"][0]["id"]},
        )
        follow(client, found["id"])
        elsewhere = client.post(
            f"{API}/experiments/{found['id']}/resume", json={"run": "0" * 14}
        )

    assert resumed.status_code == 202
    assert elsewhere.status_code == 404


def test_what_was_begun_without_a_limit_of_tokens_goes_on_with_the_servers(
    team: TeamServer, root: UserRecord, provider: ActedServer
) -> None:
    samples = tuple(lab.Sample(**told) for told in SUMS)
    task = lab.Task(dataset=lab.Dataset(name="sums", samples=samples))
    own = lab.wait(team.bench.run, task, models=["openai/picky"])
    before = dict(provider.limits)

    with team.browser(root) as client:
        resumed = client.post(
            f"{API}/experiments/{own.id}/resume", json={"failed": True}
        )
        follow(client, own.id)

    again = {key: n for key, n in provider.limits.items() if before[key] != n}
    assert resumed.status_code == 202, resumed.text
    assert set(before.values()) == {None}
    assert again == {("picky", "What is 7 and 100 ?"): 4096}


def test_a_client_that_leaves_disturbs_nothing(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.browser(ann) as client:
        begun = client.post(f"{API}/experiments", json=asked("openai/right")).json()
        with client.stream("GET", f"{API}/experiments/{begun['id']}/events") as answer:
            next(answer.iter_lines())
        follow(client, begun["id"])
        found = get(client, f"/experiments/{begun['id']}")

    assert found["runs"][0]["status"] == "completed"


def test_others_see_nothing_of_what_is_private(
    team: TeamServer, ann: UserRecord, bob: UserRecord, root: UserRecord
) -> None:
    """S32, IDOR: B reads A's ids and is told that they do not exist."""
    with team.browser(ann) as client:
        found = start(client)
    run, mine = found["runs"][0]["id"], found["id"]
    paths = [
        f"/experiments/{mine}",
        f"/experiments/{mine}/events",
        f"/experiments/{mine}/summary",
        f"/runs/{run}",
        f"/runs/{run}/results",
        f"/comparisons?baseline={run}&candidate={run}",
        f"/datasets/{found['dataset']}",
        f"/exchange/experiments/{mine}",
    ]
    with team.browser(bob) as other, team.browser(root) as admin:
        refused = [other.get(API + path) for path in paths]
        stolen = other.post(f"{API}/experiments", json=stealing(found["dataset"]))
        listed = [get(other, "/experiments"), get(other, "/datasets")]
        for_admin = [admin.get(API + path).status_code for path in paths]

    assert [answer.status_code for answer in refused] == [404] * len(paths)
    assert stolen.status_code == 404
    assert [page["items"] for page in listed] == [[], []]
    assert set(for_admin) == {200}


def stealing(fingerprint: str) -> dict[str, Any]:
    return asked(task={"dataset": fingerprint})


def test_what_is_shared_is_seen_by_all_and_changed_by_its_owner(
    team: TeamServer, ann: UserRecord, bob: UserRecord
) -> None:
    with team.browser(ann) as owner, team.browser(bob) as other:
        found = start(owner)
        path = f"{API}/experiments/{found['id']}"
        hidden = other.patch(path, json={"visibility": "team"})
        shared = owner.patch(path, json={"visibility": "team"})
        seen = get(other, f"/experiments/{found['id']}")
        again = start(other, task={"dataset": found["dataset"]})
        changes = [
            other.patch(path, json={"visibility": "private"}),
            other.post(f"{path}/cancel"),
            other.post(f"{path}/resume", json={}),
        ]

    assert (hidden.status_code, shared.status_code) == (404, 200)
    assert (seen["mine"], seen["visibility"]) == (False, "team")
    assert again["mine"] and again["dataset"] == found["dataset"]
    assert [answer.status_code for answer in changes] == [403] * 3


def test_lists_are_told_a_page_at_a_time(team: TeamServer, ann: UserRecord) -> None:
    with team.browser(ann) as client:
        made = [start(client, name=f"n{n}")["id"] for n in range(3)]
        first = get(client, "/experiments", limit=2)
        rest = get(client, "/experiments", limit=2, cursor=first["next"])
        by_run = get(client, "/experiments", begins=first["items"][0]["runs"][0]["id"])
        wrong = client.get(f"{API}/experiments", params={"cursor": "0" * 14})

    ids = [one["id"] for one in [*first["items"], *rest["items"]]]
    assert ids == made[::-1]
    assert rest["next"] is None
    assert [one["id"] for one in by_run["items"]] == [ids[0]]
    assert wrong.status_code == 404


def test_results_are_sorted_searched_and_filtered(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.browser(ann) as client:
        found = start(client, "openai/picky")
        path = f"/runs/{found['runs'][0]['id']}/results"
        first = get(client, path, sort="sample_id", descending=True, limit=3)
        rest = get(
            client, path, sort="sample_id", descending=True, cursor=first["next"]
        )
        failed = get(client, path, filter="failed")
        sought = get(client, path, search="is 3 and")
        wrong = client.get(f"{API}{path}", params={"sort": "password"})

    ids = [row["sample_id"] for row in [*first["items"], *rest["items"]]]
    assert ids == sorted((f"q{n}" for n in range(1, 9)), reverse=True)
    assert (first["total"], rest["next"]) == (8, None)
    assert [row["error_type"] for row in failed["items"]] == ["InvalidRequestError"]
    assert [row["sample_id"] for row in sought["items"]] == ["q3"]
    assert wrong.status_code == 422
    assert "unknown column 'password'" in wrong.json()["error"]["message"]


def test_two_runs_are_compared(team: TeamServer, ann: UserRecord) -> None:
    with team.browser(ann) as client:
        runs = start(client, "openai/right", "openai/picky")["runs"]
        named = {"baseline": runs[1]["id"], "candidate": runs[0]["id"]}
        read = get(client, "/comparisons", **named)
        posted = client.post(f"{API}/comparisons", json=named).json()

    assert read == posted
    assert read["pairs"] == 7
    assert read["metrics"]["number"]["difference"] == 0.0


def test_datasets_are_stored_once_and_asked_by_their_fingerprint(
    team: TeamServer, ann: UserRecord, bob: UserRecord
) -> None:
    with team.browser(ann) as client, team.browser(bob) as other:
        body = {"name": "sums", "samples": SUMS}
        made = client.post(f"{API}/datasets", json=body)
        again = client.post(f"{API}/datasets", json=body)
        whole = get(other, f"/datasets/{made.json()['fingerprint']}")
        found = start(other, task={"dataset": made.json()["fingerprint"]})
        listed = get(other, "/datasets")["items"]

    assert (made.status_code, made.json()) == (201, again.json())
    assert [one["id"] for one in whole["content"]] == [one["id"] for one in SUMS]
    assert found["runs"][0]["completed"] == 8
    assert listed == [made.json()]


def test_a_plan_says_what_it_would_take_and_what_is_there(
    team: TeamServer, ann: UserRecord, provider: ActedServer
) -> None:
    with team.browser(ann) as client:
        before = client.post(f"{API}/plans", json=asked()).json()
        found = start(client)
        after = client.post(f"{API}/plans", json=asked()).json()

    assert before["lanes"][0]["calls"] == 8
    assert (before["earlier"], after["earlier"]) == (None, found["id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (asked(models=1), "body.models"),
        (asked(models=[]), "body.models"),
        (asked(task={"epochs": 0}), "body.task.epochs"),
        (
            asked(task={"config": {"temperature": "hot"}}),
            "body.task.config.temperature",
        ),
        (asked(surprise=1), "body.surprise"),
        (asked(visibility="world"), "body.visibility"),
    ],
)
def test_what_is_wrong_is_said_by_field(
    team: TeamServer, ann: UserRecord, body: dict[str, Any], field: str
) -> None:
    with team.browser(ann) as client:
        answer = client.post(f"{API}/experiments", json=body)

    assert answer.status_code == 422
    assert field in [one["field"] for one in answer.json()["error"]["fields"]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (asked("replay//etc/passwd"), "unknown provider 'replay'"),
        (asked("replay/answers.jsonl"), "unknown provider 'replay'"),
        (asked("elsewhere/gpt"), "unknown provider 'elsewhere'"),
        (asked("openai/http://evil/v1"), "name of no model"),
        (asked(task={"scorers": ["json:/etc/passwd"]}), "takes no file"),
        (asked(task={"scorers": ["nonsense"]}), "unknown scorer"),
        (asked(task={"config": {"max_tokens": 10**6}}), "max_tokens"),
        (asked(task={"sweep": {"max_tokens": [5, 10**6]}}), "sweep.max_tokens"),
        (asked(task={"sweep": {"extra.n": [100]}}), "sweep.extra.n"),
        (asked(task={"sweep": {"extra": [{"n": 100}]}}), "sweep.extra"),
        (asked(task={"sweep": {"max_tokens": [None]}}), "sweep.max_tokens"),
        (asked(task={"sweep": {"temperature": []}}), "sweep.temperature: no value"),
        (
            asked(task={"sweep": {"tools": [[{"type": "web_search"}]]}}),
            "sweep.tools: config.tools: a tool is of type 'function'",
        ),
        (asked(task={"config": {"extra": {"n": 100}}}), "config.extra"),
        (asked(task={"sweep": {"seed": list(range(200_000))}}), "calls are asked"),
        (asked(task={"prompt": {"user": "{{ secret }}"}}), "secret"),
        (asked(options={"speed": 9}), "unknown option speed"),
        (asked("openai/right", "openai/right"), "named twice"),
    ],
)
def test_what_the_bench_refuses_is_said_and_nothing_is_sent(
    team: TeamServer,
    ann: UserRecord,
    provider: ActedServer,
    body: dict[str, Any],
    said: str,
) -> None:
    with team.browser(ann) as client:
        answer = client.post(f"{API}/experiments", json=body)
        listed = get(client, "/experiments")

    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
    assert listed["items"] == []


def test_a_run_of_one_server_is_stopped_through_another_which_outlives_the_first(
    provider: ActedServer, postgres_url: str
) -> None:
    provider.delay = 60
    slow = asked("openai/slow", options={"retries": 0})
    with lab.Lab.open(postgres_url) as bench, TeamServer(bench) as second:
        with (
            second.bearer(second.add_user("ann")) as here,
            serving(postgres_url) as (program, url),
        ):
            token = {"authorization": here.headers["authorization"]}
            with httpx2.Client(base_url=url, headers=token, timeout=60) as there:
                ids = [
                    there.post(f"{API}/experiments", json=slow | {"fresh": True})
                    for _ in range(2)
                ]
                stopped, killed = (answer.json()["id"] for answer in ids)
                here.post(f"{API}/experiments/{stopped}/cancel")
                heard = follow(there, stopped)
                with there.stream("GET", f"{API}/experiments/{killed}/events") as told:
                    lines = told.iter_lines()
                    assert next(lines) == "event: lanes"
                    program.kill()
                    with pytest.raises(httpx2.TransportError):
                        list(lines)
            program.wait(60)
            found = {one: standing(here, one) for one in (stopped, killed)}
            provider.delay = 0
            resumed = here.post(f"{API}/experiments/{killed}/resume", json={})
            ended = follow(here, killed)

            assert heard[-1] == ("end", {"failure": None})
            assert found[stopped] == ("interrupted", "stopped")
            assert found[killed] == ("interrupted", DIED)
            assert resumed.status_code == 202, resumed.text
            assert ended[-1] == ("end", {"failure": None})
            assert standing(here, killed) == ("completed", None)


def standing(client: httpx2.Client, experiment_id: str) -> tuple[str, str | None]:
    """State and reason of an experiment's only run."""
    (run,) = get(client, f"/experiments/{experiment_id}")["runs"]
    return run["status"], run["reason"]
