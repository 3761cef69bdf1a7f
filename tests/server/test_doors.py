"""Doors: a route without one is not served, and none is passed in the wrong order."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from servers.team import TeamServer

import aistrale_lab as lab
from aistrale_lab.errors import ConfigError, ServerError, StoreError
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import (
    ADMIN,
    OPEN,
    SESSION,
    USER,
    GuardedRoute,
    door,
    routes_of,
)
from aistrale_lab.store.accounts import UserRecord


class Note(BaseModel):
    """A body to be checked."""

    words: str


def make_router() -> APIRouter:
    router = APIRouter(route_class=GuardedRoute)

    @router.post("/try/open")
    @door(OPEN)
    async def open_to_all(note: Note) -> str:
        return note.words

    @router.post("/try/user")
    @door(USER("write"))
    async def user(note: Note, request: Request) -> str:
        return caller_of(request).name

    @router.post("/try/session")
    @door(SESSION)
    async def session(note: Note) -> str:
        return note.words

    @router.post("/try/admin")
    @door(ADMIN)
    async def admin(note: Note) -> str:
        return note.words

    @router.post("/try/fail")
    @door(OPEN)
    async def fail() -> str:
        raise RuntimeError("PATIENT SECRET in /srv/files")

    @router.post("/try/provider")
    @door(OPEN)
    async def provider() -> str:
        raise ServerError("sk-SECRET at /srv <html>", status=500)

    @router.post("/try/store")
    @door(OPEN)
    async def store() -> str:
        raise StoreError("postgresql://user:pw@host is away")

    return router


@pytest.fixture
def team(bench: lab.Lab) -> Iterator[TeamServer]:
    server = TeamServer(bench, max_body_bytes=2000)
    server.app.include_router(make_router())
    with server:
        yield server


def test_a_route_without_a_door_is_not_served() -> None:
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(ConfigError, match="'/forgotten' has no door"):
        router.get("/forgotten")(lambda: None)


def test_a_route_that_is_not_guarded_is_found() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.get("/plain")(lambda: None)
    app.include_router(router)

    with pytest.raises(ConfigError, match="nothing guards it"):
        list(routes_of(app))


def test_nobody_learns_what_is_wrong_with_a_body(team: TeamServer) -> None:
    with team.visitor() as nobody:
        answers = [
            nobody.post(f"/try/{where}", json={"wrong": 1})
            for where in ("user", "session", "admin")
        ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert answers[0].json()["error"]["error_type"] == "NotSignedInError"


def test_the_role_is_asked_before_the_origin_and_the_origin_before_the_body(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    with team.browser(ann) as user, team.browser(root) as admin:
        del user.headers["origin"], admin.headers["origin"]
        as_user = user.post("/try/admin", json={"wrong": 1})
        forged = admin.post("/try/admin", json={"wrong": 1})
        admin.headers["origin"] = team.url
        invalid = admin.post("/try/admin", json={"wrong": 1})
        passed = admin.post("/try/admin", json={"words": "hello"})

    assert as_user.json()["error"]["error_type"] == "ForbiddenError"
    assert forged.json()["error"]["error_type"] == "ForgedRequestError"
    assert (invalid.status_code, passed.status_code) == (422, 200)


def test_a_token_passes_by_its_scope_and_never_where_a_session_is_asked(
    team: TeamServer, root: UserRecord
) -> None:
    with team.bearer(root) as full, team.bearer(root, frozenset({"read"})) as reader:
        written = full.post("/try/user", json={"words": "hello"})
        read_only = reader.post("/try/user", json={"words": "hello"})
        session = full.post("/try/session", json={"words": "hello"})
        admin = full.post("/try/admin", json={"words": "hello"})

    assert written.json() == "root"
    assert [a.status_code for a in (read_only, session, admin)] == [403] * 3


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(
    team: TeamServer,
) -> None:
    with team.visitor() as nobody:
        told = nobody.post("/try/open", json={"words": "x" * 3000})
        chunked = nobody.post(
            "/try/open",
            content=iter([b'{"words": "' + b"x" * 3000, b'"}']),
            headers={"content-type": "application/json"},
        )
        unread = nobody.post("/try/user", json={"words": "x" * 3000})

    assert (told.status_code, chunked.status_code) == (413, 413)
    assert told.json()["error"]["error_type"] == "TooLargeError"
    assert unread.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b'{"words": NaN}',
        b'{"words": "\\ud83d"}',
        b'{"words": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"words": 1' + b"0" * 900 + b"}",
        b'{"words": "\xff"}',
        b"{",
    ],
    ids=["nan", "surrogate", "deep", "digits", "bytes", "broken"],
)
def test_what_only_python_takes_for_json_is_refused(
    team: TeamServer, body: bytes
) -> None:
    with team.visitor() as nobody:
        answer = nobody.post(
            "/try/open", content=body, headers={"content-type": "application/json"}
        )

    assert answer.status_code == 422
    assert answer.json()["error"]["fields"]


def test_what_nobody_expected_is_told_by_an_id_that_the_log_knows(
    team: TeamServer,
) -> None:
    with team.visitor() as nobody:
        answer = nobody.post("/try/fail")

    fault = answer.json()["error"]
    log = team.bench.log.path
    assert log is not None
    assert (answer.status_code, fault["error_type"]) == (500, "InternalError")
    assert "SECRET" not in answer.text
    assert fault["request_id"] == answer.headers["x-request-id"]
    assert fault["request_id"] in log.read_text()
    assert "PATIENT SECRET" in log.read_text()


def test_a_provider_and_the_database_are_not_quoted(team: TeamServer) -> None:
    """S38: provider 500 with a key, a path and HTML: class and id only."""
    with team.visitor() as nobody:
        provider = nobody.post("/try/provider")
        store = nobody.post("/try/store")

    assert provider.status_code == 502
    assert provider.json()["error"]["error_type"] == "ServerError"
    assert not [s for s in ("SECRET", "/srv", "html") if s in provider.text]
    assert store.status_code == 503
    assert int(store.headers["retry-after"]) > 0
    assert "pw@host" not in store.text
