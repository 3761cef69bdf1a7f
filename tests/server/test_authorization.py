"""Who may do what: one row for each route, and no route without a row.

S32: the walk goes as nobody, as the user whose things they are, as another user, as
an admin, and with a token of the owner. Whoever adds a route adds a row.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx2
import pytest
from servers.team import PASSWORD, TeamServer

import aistrale_lab as lab
from aistrale_lab.domain.chat import GenerateConfig
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.server.caller import SCOPES
from aistrale_lab.server.doors import OPEN, routes_of
from aistrale_lab.settings import Settings
from aistrale_lab.store.accounts import UserRecord

Method, Path = str, str


@dataclass(frozen=True)
class Row:
    """The statuses that a route gives to each, with a body that is valid.

    `token` is the owner's, with all scopes. A path parameter is the id of a thing of
    the owner's, as `things_of` makes it.
    """

    nobody: int
    owner: int
    other: int
    admin: int
    token: int
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None


def open_to_all(status: int, body: dict[str, Any] | None = None) -> Row:
    return Row(status, status, status, status, status, body)


def signed_in(status: int, body: dict[str, Any] | None = None) -> Row:
    return Row(401, status, status, status, status, body)


def seen(status: int, body: dict[str, Any] | None = None) -> Row:
    """An experiment's: for others, but admins, it does not exist."""
    return Row(401, status, 404, status, status, body)


def with_cookie(status: int, body: dict[str, Any] | None = None) -> Row:
    return Row(401, status, status, status, 403, body)


def form(status: int, **fields: str) -> Row:
    """A form of a page."""
    return replace(with_cookie(status), form=fields)


def private(status: int) -> Row:
    """A page of the owner's, which admins see too."""
    return Row(401, status, 404, status, 403)


def owners(status: int) -> Row:
    """For others, admins too, it does not exist."""
    return Row(401, status, 404, 404, 403)


def admins(status: int, body: dict[str, Any] | None = None) -> Row:
    return Row(401, 403, 403, status, 403, body)


def with_token(status: int, body: dict[str, Any] | None = None) -> Row:
    """No cookie passes: OpenAI's clients know none."""
    return Row(401, 401, 401, 401, status, body)


DATASET = {"name": "two", "samples": [{"id": "a", "input": "Hi"}]}
ASKED = {"task": {"dataset": DATASET}, "models": ["embedded/echo"]}
STRANGERS = {"baseline": "0" * 14, "candidate": "1" * 14}
NEW = "a name that is not taken"
LOGIN = {"name": "nobody", "password": "wrong password"}
CHANGE = {"current": PASSWORD, "new": "another horse, another battery"}
QUESTION = {"model": "embedded/echo", "inputs": "hello"}
CHAT = {"model": "embedded/echo", "messages": [{"role": "user", "content": "hello"}]}

MATRIX: dict[tuple[Method, Path], Row] = {
    ("GET", "/health"): open_to_all(200),
    ("GET", "/ready"): open_to_all(200),
    ("GET", "/metrics"): admins(200),
    ("GET", "/openapi.json"): signed_in(200),
    ("POST", "/api/v1/auth/login"): open_to_all(401, LOGIN),
    ("POST", "/api/v1/auth/logout"): with_cookie(204),
    ("GET", "/api/v1/users/me"): signed_in(200),
    ("POST", "/api/v1/users/me/password"): with_cookie(204, CHANGE),
    ("GET", "/api/v1/sessions"): with_cookie(200),
    ("DELETE", "/api/v1/sessions/{session_id}"): owners(204),
    ("POST", "/api/v1/tokens"): with_cookie(201, {"name": "x", "scopes": ["read"]}),
    ("GET", "/api/v1/tokens"): with_cookie(200),
    ("DELETE", "/api/v1/tokens/{token_id}"): owners(204),
    ("GET", "/api/v1/admin/users"): admins(200),
    ("POST", "/api/v1/admin/users"): admins(201, {"name": NEW}),
    ("PATCH", "/api/v1/admin/users/{user_id}"): admins(200, {"role": "admin"}),
    ("POST", "/api/v1/admin/users/{user_id}/reset"): admins(200),
    ("GET", "/api/v1/admin/users/{user_id}/sessions"): admins(200),
    ("DELETE", "/api/v1/admin/users/{user_id}/sessions"): admins(204),
    ("POST", "/api/v1/inference"): signed_in(200, QUESTION),
    ("GET", "/api/v1/models"): signed_in(200),
    ("POST", "/v1/chat/completions"): with_token(200, CHAT),
    ("GET", "/v1/models"): with_token(200),
    ("GET", "/v1/models/{model:path}"): with_token(200),
    ("GET", "/static/{file}"): open_to_all(200),
    ("GET", "/sign-in"): open_to_all(200),
    ("POST", "/sign-in"): replace(open_to_all(401), form=LOGIN),
    ("POST", "/sign-out"): form(303, leave="1"),
    ("GET", "/"): with_cookie(303),
    ("GET", "/experiments"): with_cookie(200),
    ("GET", "/experiments/{experiment_id}"): private(200),
    ("GET", "/experiments/{experiment_id}/progress"): private(200),
    ("GET", "/experiments/{experiment_id}/report"): private(200),
    ("POST", "/experiments/{experiment_id}/cancel"): private(303),
    ("POST", "/experiments/{experiment_id}/resume"): private(303),
    ("POST", "/experiments/{experiment_id}/visibility"): replace(
        private(303), form={"visibility": "private"}
    ),
    ("GET", "/runs/{run_id}"): private(200),
    ("GET", "/runs/{run_id}/sample"): private(200),
    ("GET", "/compare"): private(200),
    ("GET", "/account"): with_cookie(200),
    ("POST", "/account/password"): form(
        200, **CHANGE, again="another horse, another battery"
    ),
    ("POST", "/account/tokens"): form(200, name="x", scope="read"),
    ("POST", "/account/tokens/{token_id}/revoke"): owners(303),
    ("POST", "/account/sessions/{session_id}/end"): owners(303),
    ("GET", "/users"): admins(200),
    ("POST", "/users"): replace(admins(200), form={"name": NEW}),
    ("POST", "/users/{user_id}"): replace(admins(303), form={"change": "admin"}),
    ("POST", "/users/{user_id}/reset"): admins(200),
    ("POST", "/users/{user_id}/sessions/end"): admins(303),
    ("GET", "/api/v1/experiments"): signed_in(200),
    ("POST", "/api/v1/experiments"): signed_in(202, ASKED),
    ("POST", "/api/v1/plans"): signed_in(200, ASKED),
    ("GET", "/api/v1/experiments/{experiment_id}"): seen(200),
    ("PATCH", "/api/v1/experiments/{experiment_id}"): seen(
        200, {"visibility": "private"}
    ),
    ("POST", "/api/v1/experiments/{experiment_id}/cancel"): seen(202),
    ("POST", "/api/v1/experiments/{experiment_id}/resume"): seen(202, {}),
    ("GET", "/api/v1/experiments/{experiment_id}/summary"): seen(200),
    ("GET", "/api/v1/experiments/{experiment_id}/events"): seen(200),
    ("GET", "/api/v1/runs/{run_id}"): seen(200),
    ("GET", "/api/v1/runs/{run_id}/results"): seen(200),
    ("GET", "/api/v1/comparisons"): signed_in(422),
    ("POST", "/api/v1/comparisons"): signed_in(404, STRANGERS),
    ("GET", "/api/v1/datasets"): signed_in(200),
    ("POST", "/api/v1/datasets"): signed_in(201, DATASET),
    ("GET", "/api/v1/datasets/{fingerprint}"): seen(200),
    ("GET", "/api/v1/exchange/experiments/{experiment_id}"): seen(200),
    ("POST", "/api/v1/exchange"): signed_in(422),
}

WRITE = {
    ("POST", "/api/v1/experiments"),
    ("PATCH", "/api/v1/experiments/{experiment_id}"),
    ("POST", "/api/v1/experiments/{experiment_id}/cancel"),
    ("POST", "/api/v1/experiments/{experiment_id}/resume"),
    ("POST", "/api/v1/datasets"),
    ("POST", "/api/v1/exchange"),
}
INFERENCE = {
    ("POST", "/api/v1/inference"),
    ("GET", "/api/v1/models"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model:path}"),
}
WHATEVER = {("GET", "/openapi.json"), ("GET", "/api/v1/users/me")}
"""What takes a scope of its own, or none; all else that a token may do takes `read`."""

QUERY = {
    "/runs/{run_id}/sample": {"id": "q1"},
    "/compare": {"baseline": "{run_id}", "candidate": "{other_run_id}"},
}
"""What the addresses of pages ask for."""

OPEN_ROUTES = {
    ("GET", "/health"),
    ("GET", "/ready"),
    ("POST", "/api/v1/auth/login"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/static/{file}"),
}
"""No others, whatever is added."""


def things_of(team: TeamServer, owner: UserRecord) -> dict[str, str]:
    """Ids of things of the owner's, by the names of the path parameters."""
    state = team.app.state
    state.sessions.add(owner.id, address="::1", agent="another")
    _, token = state.tokens.add(owner.id, "another", scopes=["read"])
    runs = [run for run in team.bench.runs() if run.name == "one"]
    team.bench.attach(runs[0].experiment_id).wait(60)
    team.give(runs[0].experiment_id, owner)
    return {
        "file": "house.css",
        "model": "embedded/echo",
        "experiment_id": runs[0].experiment_id,
        "fingerprint": team.bench.experiment(runs[0].experiment_id).record.dataset,
        "run_id": runs[0].id,
        "other_run_id": runs[1].id,
        "user_id": owner.id,
        "session_id": state.sessions.of(owner.id)[0].id,
        "token_id": token.id,
    }


ComeIn = Callable[
    [TeamServer, UserRecord, UserRecord, UserRecord],
    AbstractContextManager[httpx2.Client],
]

CALLERS: dict[str, ComeIn] = {
    "nobody": lambda team, owner, other, admin: team.visitor(),
    "other": lambda team, owner, other, admin: team.browser(other),
    "token": lambda team, owner, other, admin: team.bearer(owner),
    "owner": lambda team, owner, other, admin: team.browser(owner),
    "admin": lambda team, owner, other, admin: team.browser(admin),
}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamServer]:
    url = f"sqlite:///{tmp_path_factory.mktemp('matrix')}/store.db"
    with lab.Lab.open(url, settings=Settings()) as bench, TeamServer(bench) as server:
        samples = (Sample(id="q1", input="1 + 1", target="2"),)
        asked = Task(
            dataset=Dataset(name="one", samples=samples),
            scorers="exact",
            config=GenerateConfig(max_tokens=5),
        )
        bench.start(asked, ["embedded/constant", "embedded/echo"]).wait(60)
        yield server


@pytest.fixture(scope="module")
def number() -> Iterator[int]:
    """A new one for each user, of all rows."""
    return count()


def ask(
    client: httpx2.Client, route: tuple[Method, Path], ids: dict[str, str], new: str
) -> httpx2.Response:
    method, path = route
    body, form = MATRIX[route].body, MATRIX[route].form
    if body is not None and body.get("name") == NEW:
        body = {**body, "name": new}
    if form is not None and form.get("name") == NEW:
        form = {**form, "name": new}
    query = {name: value.format(**ids) for name, value in QUERY.get(path, {}).items()}
    return client.request(
        method,
        path.replace(":path", "").format(**ids),
        json=body,
        data=form,
        params=query,
    )


def test_every_route_has_a_row_and_every_row_a_route(team: TeamServer) -> None:
    """S32: default-deny; a new route fails here until somebody says who may."""
    served = {(method, path) for method, path, _ in routes_of(team.app)}

    assert served == set(MATRIX)


def test_no_route_is_open_but_those_that_were_meant_to_be(team: TeamServer) -> None:
    served = {
        (method, path) for method, path, door in routes_of(team.app) if door == OPEN
    }

    assert served == OPEN_ROUTES


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_each_may_do_what_the_matrix_says_and_no_more(
    team: TeamServer, number: Iterator[int], route: tuple[Method, Path]
) -> None:
    """S32: anonymous, user, other user, admin, token; IDOR is 404."""
    found = {}
    for name, come_in in CALLERS.items():
        owner, other = (team.add_user(f"user{next(number)}") for _ in range(2))
        chief = team.add_user(f"user{next(number)}", "admin")
        ids = things_of(team, owner)
        with come_in(team, owner, other, chief) as client:
            found[name] = ask(client, route, ids, f"new{next(number)}").status_code

    assert replace(MATRIX[route], **found) == MATRIX[route]


def test_a_token_without_the_scope_of_a_route_is_refused(
    team: TeamServer, number: Iterator[int]
) -> None:
    """S32: so that each takes the one scope that is meant, and no other is enough."""
    owner = team.add_user(f"user{next(number)}")
    ids = things_of(team, owner)
    needed = {r: "read" for r in MATRIX if MATRIX[r].token != 403}
    needed |= dict.fromkeys(WRITE, "write") | dict.fromkeys(INFERENCE, "inference")
    passed = set()
    for scope in SCOPES:
        with team.bearer(owner, frozenset({scope})) as client:
            passed |= {
                (route, scope)
                for route in needed.keys() - OPEN_ROUTES - WHATEVER
                if scope != needed[route]
                and ask(client, route, ids, "").status_code != 403
            }

    assert not passed
