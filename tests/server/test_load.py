"""A crowd at `aistrale serve`: nobody is refused, and no call is lost or doubled."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.crowd import Crowd
from servers.postgres import Postgres
from servers.team import serving
from sqlalchemy import select

from aistrale_lab.server.caller import SCOPES
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.calls import CALLS, Calls
from aistrale_lab.store.results import Store
from aistrale_lab.store.tokens import Tokens

SETTINGS = {"AISTRALE_USER_CONCURRENCY": "1000"}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/store.db"


def token_of_ann(url: str) -> str:
    store = Store.open(url)
    try:
        ann = Accounts(store).add("ann", "no hash", role="user")
        return Tokens(store).add(ann.id, "load", scopes=SCOPES)[0]
    finally:
        store.close()


def recorded(url: str) -> list[Any]:
    """The calls that are stored, once the next server has begun."""
    store = Store.open(url)
    try:
        Calls(store).take_in()
        return list(store.read(select(CALLS.c.id, CALLS.c.output, CALLS.c.messages)))
    finally:
        store.close()


@pytest.mark.timeout(300)
def test_200_clients_make_2000_calls_and_each_is_answered_and_recorded_once(
    environment: None, url: str
) -> None:
    token = token_of_ann(url)

    with serving(url, **SETTINGS) as (_, base_url):
        crowd = Crowd(base_url, token, clients=200, calls=2_000)
        heard = asyncio.run(crowd.ask_all())

    rows = recorded(url)
    assert heard.statuses == [200] * 2_000
    assert all(text == question for question, text in heard.texts.items())
    assert len(heard.texts) == len(heard.ids) == len(rows) == 2_000
    assert {row.id for row in rows} == heard.ids
    assert all(row.output == row.messages[0]["content"] for row in rows)


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A PostgreSQL of its own, to be killed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(300)
def test_a_killed_database_means_503_and_then_all_goes_on_with_nothing_lost(
    environment: None, mortal: Postgres
) -> None:
    url = mortal.make_database()
    token = token_of_ann(url)

    async def kill_in_the_middle(crowd: Crowd) -> None:
        asking = asyncio.create_task(crowd.ask_all())
        await crowd.until(lambda heard: len(heard.ids) >= 200)
        await asyncio.to_thread(mortal.kill)
        await crowd.until(lambda heard: heard.statuses.count(503) >= 20)
        await asyncio.to_thread(mortal.start)
        await asking

    with serving(url, **SETTINGS) as (_, base_url):
        crowd = Crowd(base_url, token, clients=40, calls=800)
        asyncio.run(kill_in_the_middle(crowd))
        heard = crowd.heard

    rows = recorded(url)
    assert set(heard.statuses) == {200, 503}
    assert len(heard.ids) == 800
    assert {row.id for row in rows} == heard.ids, "none answered that is not recorded"
    assert len({row.output for row in rows}) == len(rows), "none recorded twice"
