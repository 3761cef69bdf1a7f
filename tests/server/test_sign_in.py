"""Signing in: who exists is not told, and guessing is slowed down everywhere."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
from argon2 import extract_parameters
from servers.team import PASSWORD, TeamServer, serving

from aistrale_lab.server.passwords import Passwords
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.sign_ins import FREE_ACCOUNT, FREE_ADDRESS

TRIES = 50


def told(answer: httpx2.Response) -> tuple[int, dict[str, object], set[str]]:
    fault = {k: v for k, v in answer.json()["error"].items() if k != "request_id"}
    return answer.status_code, fault, set(answer.headers)


def test_an_unknown_name_a_wrong_password_and_a_disabled_user_look_the_same(
    team: TeamServer, ann: UserRecord, bob: UserRecord
) -> None:
    """S30: same 401 body."""
    team.app.state.accounts.change(bob.id, {"disabled": True})
    with team.visitor() as nobody:
        wrong = team.sign_in(nobody, "ann", "wrong password")
        unknown = team.sign_in(nobody, "nobody", "wrong password")
        disabled = team.sign_in(nobody, "bob", PASSWORD)

    assert told(wrong) == told(unknown) == told(disabled)
    assert wrong.status_code == 401


async def test_an_unknown_name_costs_the_same_work() -> None:
    """S30: a hash with the same parameters is computed for nobody.

    The times themselves are compared in tests/bench/sign_in.py.
    """
    passwords = Passwords()
    verified: list[str] = []
    verify = passwords._verify

    def record(stored: str, password: str) -> bool:
        verified.append(stored)
        return verify(stored, password)

    passwords._verify = record  # type: ignore[method-assign]
    stored = passwords.hash_now("right")
    outcomes = [
        await passwords.verify(stored, "wrong"),
        await passwords.verify(None, "wrong"),
    ]

    assert outcomes == [False, False]
    known, nobodys = map(extract_parameters, verified)
    assert known == nobodys


def test_fifty_wrong_passwords_over_two_processes_are_slowed_down_together(
    team: TeamServer, ann: UserRecord
) -> None:
    """S30: 50 wrong logins over 2 workers on one database; spoofed X-Forwarded-For."""
    store = team.bench.store_url
    with serving(store) as (_, first), serving(store) as (_, second):

        def wrong(number: int) -> int:
            answer = httpx2.post(
                f"{(first, second)[number % 2]}/api/v1/auth/login",
                json={"name": "Ann", "password": f"wrong {number}"},
                headers={"x-forwarded-for": f"10.0.0.{number}"},
                timeout=60,
            )
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
            return answer.status_code

        with ThreadPoolExecutor(8) as pool:
            found = Counter(pool.map(wrong, range(TRIES)))

    # the pauses of 1, 2, 4 ... seconds let a few more pass on a slow machine
    assert FREE_ACCOUNT < found[401] + 1 <= FREE_ACCOUNT + 10
    assert found[401] + found[429] == TRIES


def test_the_right_password_waits_too_and_is_let_in_after_the_pause(
    team: TeamServer, ann: UserRecord
) -> None:
    """S30: no hard lockout."""
    sign_ins = team.app.state.sign_ins
    while sign_ins.begin("ann", "10.0.0.1") == 0:
        pass
    path = team.bench.store_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE sign_ins SET blocked_until = blocked_until + 3600")
    with team.visitor() as nobody:
        early = team.sign_in(nobody, "ann")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE sign_ins SET blocked_until = blocked_until - 3630")
        late = team.sign_in(nobody, "ann")
    with sqlite3.connect(path) as database:
        keys = {row[0] for row in database.execute("SELECT key FROM sign_ins")}
    database.close()

    assert (early.status_code, late.status_code) == (429, 200)
    assert "account:ann" not in keys


def test_an_address_that_tries_many_names_is_slowed_down(team: TeamServer) -> None:
    """S30: limit per account AND per address."""
    sign_ins = team.app.state.sign_ins
    waits = [sign_ins.begin(f"name{n}", "10.0.0.1") for n in range(FREE_ADDRESS + 1)]

    assert waits[:FREE_ADDRESS] == [0.0] * FREE_ADDRESS
    assert waits[FREE_ADDRESS] > 0
    assert sign_ins.begin("name0", "10.0.0.2") == 0


def test_forwarded_addresses_are_believed_of_a_trusted_proxy_only(
    bench: object, ann: UserRecord, team: TeamServer
) -> None:
    """S30: X-Forwarded-For not trusted, unless the settings name the proxy."""
    with TeamServer(team.bench, trusted_proxies=("127.0.0.1",)) as behind:
        for server in (team, behind):
            with server.visitor() as nobody:
                server.sign_in(nobody, "ann", **{"x-forwarded-for": "203.0.113.9"})
    addresses = [one.address for one in team.app.state.sessions.of(ann.id)]

    assert sorted(addresses) == ["127.0.0.1", "203.0.113.9"]
