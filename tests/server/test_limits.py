"""What a user may use: calls and tokens a minute, money a month; each with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers.recorded import RecordedServer
from servers.team import TeamServer

import aistrale_lab as lab
from aistrale_lab.lab.options import Quota, RunOptions
from aistrale_lab.server.caller import Caller
from tests.server.conftest import PRICED

QUESTION = "What is 2 + 2?"


@contextmanager
def serving(store_url: str, **settings: Any) -> Iterator[TeamServer]:
    with lab.Lab.open(store_url) as bench, TeamServer(bench, **settings) as team:
        yield team


def ask(client: httpx2.Client, *, tokens: int = 10, **more: Any) -> httpx2.Response:
    body = {"model": "openai/large", "inputs": QUESTION, **more}
    return client.post(
        "/api/v1/inference", json={**body, "config": {"max_tokens": tokens}}
    )


def statuses(answers: list[httpx2.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_calls_a_minute_are_those_of_all_servers_over_a_store(
    environment: None, store_url: str
) -> None:
    with serving(store_url, user_rpm=3) as one, serving(store_url, user_rpm=3) as other:
        ann, bob = one.add_user("ann"), one.add_user("bob")
        with one.bearer(ann) as here, other.bearer(ann) as there:
            answers = [ask(client) for client in (here, there, here, there, here)]
        with other.bearer(bob) as client:
            unlimited = ask(client)

    assert statuses(answers) == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert answers[3].json()["error"]["error_type"] == "ThrottledError"
    assert unlimited.status_code == 200


def test_a_users_own_limit_goes_before_the_servers(
    environment: None, store_url: str
) -> None:
    with serving(store_url, user_rpm=1) as team:
        ann = team.add_user("ann")
        team.app.state.accounts.change(ann.id, {"rpm": 2})
        with team.bearer(ann) as client:
            answers = [ask(client) for _ in range(3)]

    assert statuses(answers) == [200, 200, 429]


def test_tokens_are_charged_in_advance_and_given_back(
    environment: None, store_url: str
) -> None:
    """Each call says 11 tokens were used, and may have used more than 500."""
    with serving(store_url, user_tpm=1000) as team:
        with team.bearer(team.add_user("ann")) as client:
            small = [ask(client, tokens=500) for _ in range(5)]
            large = ask(client, tokens=990)

    assert statuses(small) == [200] * 5
    assert large.status_code == 429


def test_a_refused_call_uses_nothing_up(environment: None, store_url: str) -> None:
    with serving(store_url, user_rpm=2, user_tpm=400) as team:
        with team.bearer(team.add_user("ann")) as client:
            first = [ask(client, tokens=300)]
            refused = [ask(client, tokens=1000) for _ in range(3)]
            last = ask(client, tokens=10)

    assert statuses(first + refused) == [200, 429, 429, 429]
    assert last.status_code == 200


def test_money_is_refused_before_it_is_spent(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    """An answer costs a cent, and can cost ten at most: its ten tokens."""
    with serving(store_url, user_budget_usd="0.13") as team:
        with team.bearer(team.add_user("ann")) as client:
            answers = [ask(client) for _ in range(6)]

    assert statuses(answers) == [200] * 4 + [402] * 2
    assert answers[-1].json()["error"]["error_type"] == "BudgetError"
    assert "0.09 USD are left" in answers[-1].json()["error"]["message"]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert server.calls.total() == 4


def test_what_was_spent_is_known_to_the_next_process(
    priced: None, store_url: str
) -> None:
    with serving(store_url, user_budget_usd="0.12") as team:
        ann = team.add_user("ann")
        with team.bearer(ann) as client:
            first = [ask(client) for _ in range(3)]
    with serving(store_url, user_budget_usd="0.12") as team:
        with team.bearer(ann) as client:
            second = ask(client)

    assert statuses(first) == [200, 200, 200]
    assert second.status_code == 402


def test_a_call_whose_cost_nobody_knows_counts_in_full(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    server.delay = 60.0
    with serving(store_url, user_budget_usd="0.15") as team:
        ann = team.add_user("ann")
        with team.bearer(ann) as client:
            with pytest.raises(httpx2.TimeoutException):
                client.post(
                    "/api/v1/inference",
                    json={
                        "model": "openai/large",
                        "inputs": QUESTION,
                        "config": {"max_tokens": 10},
                    },
                    timeout=1.5,
                )
    server.delay = 0.0
    with serving(store_url, user_budget_usd="0.15") as team, team.bearer(ann) as client:
        second = ask(client)

    assert second.status_code == 402, "of 15 cents, the one that was left may cost ten"


def test_a_call_that_the_provider_refused_costs_nothing(
    priced: None, store_url: str, tmp_path: Path
) -> None:
    (tmp_path / "aistrale.toml").write_text(PRICED + PRICED.replace("large", "none"))
    with serving(store_url, user_budget_usd="0.1") as team:
        with team.bearer(team.add_user("ann")) as client:
            refused = [ask(client, model="openai/none") for _ in range(3)]
            good = ask(client)

    assert statuses(refused) == [404] * 3
    assert good.status_code == 200


def begin(client: httpx2.Client, **options: Any) -> httpx2.Response:
    samples = [{"id": f"q{n}", "input": QUESTION, "target": "4"} for n in range(12)]
    task = {"dataset": {"name": "sums", "samples": samples}}
    body = {"task": task | {"config": {"max_tokens": 10}}, "models": ["openai/large"]}
    return client.post("/api/v1/experiments", json={**body, "options": options})


def wait_told(answer: httpx2.Response) -> int:
    return int(answer.headers.get("retry-after", 0))


def follow(client: httpx2.Client, begun: httpx2.Response) -> None:
    client.get(f"/api/v1/experiments/{begun.json()['id']}/events")


def experiment(client: httpx2.Client, **options: Any) -> httpx2.Response:
    begun = begin(client, **options)
    if begun.status_code == 202:
        follow(client, begun)
    return begun


def test_an_experiment_and_calls_share_a_users_rate_and_turns_are_given_back(
    environment: None, store_url: str, server: RecordedServer
) -> None:
    with serving(store_url, user_rpm=2) as team:
        with team.bearer(team.add_user("ann")) as client:
            begun = begin(client)
            while wait_told(beside := ask(client)) < 100:
                pass
            with team.bearer(team.add_user("bob")) as other:
                another = ask(other)
            client.post(f"/api/v1/experiments/{begun.json()['id']}/cancel")
            follow(client, begun)
            after = ask(client)

    assert "2 calls a minute" in beside.json()["error"]["message"]
    assert another.status_code == 200
    assert wait_told(after) < 100, "the turns of calls that are not sent are given back"


def test_an_experiment_spends_what_is_left_of_the_month(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    with serving(store_url, user_budget_usd="0.13") as team:
        ann = team.add_user("ann")
        with team.bearer(ann) as client:
            begun = experiment(client, concurrency=1)
            found = client.get(f"/api/v1/experiments/{begun.json()['id']}").json()
            call = ask(client)
    with serving(store_url, user_budget_usd="0.13") as team, team.bearer(ann) as client:
        next_process = ask(client)
    with serving(store_url, user_budget_usd="0.02") as team, team.bearer(ann) as client:
        other = experiment(client, budget="0.01")

    (run,) = found["runs"]
    assert run["status"] == "interrupted" and "budget" in run["reason"]
    assert server.calls.total() == run["completed"] == 4
    assert statuses([call, next_process, other]) == [402, 402, 402]


def test_an_experiment_sets_aside_no_more_than_it_can_cost(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    """Its twelve answers can cost 1.20 USD; a call a tenth of one for each ten tokens."""
    server.delay, server.notice_at = 60.0, 1
    samples = [{"id": f"q{n}", "input": QUESTION} for n in range(12)]
    task = {"dataset": {"name": "sums", "samples": samples}}
    body = {"task": task | {"config": {"max_tokens": 10}}, "models": ["openai/large"]}
    with serving(store_url, user_budget_usd="1.35") as team:
        with team.bearer(team.add_user("ann")) as client:
            begun = client.post("/api/v1/experiments", json=body)
            assert begun.status_code == 202 and server.reached.wait(60)
            server.delay = 0.0
            calls = [ask(client, tokens=n) for n in (10, 100, 200)]
            path = f"/api/v1/experiments/{begun.json()['id']}"
            client.post(f"{path}/cancel")
            client.get(f"{path}/events")

    assert statuses(calls) == [200, 402, 402]
    soon, never = calls[1:]
    assert "1.34 USD are left, 1.2 USD of them set aside" in said(soon)
    assert soon.headers["retry-after"] == "15"
    assert "1.34 USD are left, and this call may cost 2 USD" in said(never)


def said(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["message"])


def test_what_an_experiment_did_not_spend_is_given_back(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    with serving(store_url, user_budget_usd="1") as team:
        with team.bearer(team.add_user("ann")) as client:
            begun = [experiment(client), experiment(client, budget="0.5")]
            call = ask(client)

    assert statuses([*begun, call]) == [202, 202, 200]


def test_the_same_again_while_it_runs_takes_no_more_of_the_money(
    priced: None, store_url: str, server: RecordedServer
) -> None:
    server.delay = 60.0
    with serving(store_url, user_budget_usd="1") as team:
        with team.bearer(team.add_user("ann")) as client:
            begun = [begin(client), begin(client)]
            client.post(f"/api/v1/experiments/{begun[0].json()['id']}/cancel")

    assert statuses(begun) == [202, 202]
    assert begun[0].json()["id"] == begun[1].json()["id"]


def test_the_lanes_of_an_experiment_share_the_users_rates(
    priced: None, store_url: str
) -> None:
    limits = {"user_rpm": 90, "user_tpm": 9000, "user_concurrency": 12}
    with serving(store_url, **limits) as team:
        shared_out = team.app.state.limits.shared_out
        ann = Caller(user_id="a", name="ann", admin=False, scopes=frozenset(), rpm=60)
        plain = shared_out(ann, RunOptions(), 3)
        foreign = Quota(name="user:b")
        modest = shared_out(ann, RunOptions(rpm=5, concurrency=2, quota=foreign), 3)

    quota = Quota(name="user:a", rpm=60, tpm=9000)
    assert plain == {"concurrency": 4, "quota": quota}
    assert modest == {"concurrency": 2, "rpm": 5, "quota": quota}


def test_with_a_budget_a_model_needs_a_price(priced: None, store_url: str) -> None:
    with serving(store_url, user_budget_usd="1") as team:
        with team.bearer(team.add_user("ann")) as client:
            unknown = ask(client, model="openai/small")
            free = ask(client, model="embedded/echo")

    assert unknown.status_code == 402
    assert "has no price" in unknown.json()["error"]["message"]
    assert free.status_code == 200
