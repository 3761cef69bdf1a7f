"""The pages of oneself and of the users: secrets once, refusals beside the form."""

from collections.abc import Iterator

import httpx2
import pytest
from servers.markup import SCRIPTS, check_served_page
from servers.team import PASSWORD, TeamServer

from aistrale_lab.store.accounts import UserRecord

BETTER = "a better horse, a better battery"


@pytest.fixture
def own(team: TeamServer, ann: UserRecord) -> Iterator[httpx2.Client]:
    with team.reader(ann) as client:
        yield client


@pytest.fixture
def chief(team: TeamServer, root: UserRecord) -> Iterator[httpx2.Client]:
    with team.reader(root) as client:
        yield client


def test_a_token_is_shown_once_and_works_until_it_is_revoked(
    team: TeamServer, ann: UserRecord, own: httpx2.Client
) -> None:
    made = own.post("/account/tokens", data={"name": SCRIPTS[1], "scope": "read"})
    secret = made.text.split("<code>")[1].split("</code>")[0]
    later = own.get("/account")
    with team.visitor(authorization=f"Bearer {secret}") as program:
        before = program.get("/api/v1/users/me").status_code
        token = team.app.state.tokens.of(ann.id)[0]
        own.post(f"/account/tokens/{token.id}/revoke")
        after = program.get("/api/v1/users/me").status_code

    check_served_page(made.text)
    assert SCRIPTS[1] in check_served_page(later.text).text
    assert secret.startswith("ait_") and secret not in later.text
    assert (before, after) == (200, 401)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scope": "everything"}, "scopes"),
        ({"name": "", "scope": "read"}, "name"),
        ({"name": "x", "scope": "read", "days": "-1"}, "days"),
    ],
)
def test_a_token_that_cannot_be_is_refused_beside_the_form(
    own: httpx2.Client, fields: dict[str, str], said: str
) -> None:
    answer = own.post("/account/tokens", data=fields)

    assert answer.status_code == 422
    assert f'role="alert">{said}' in answer.text
    assert "A new token" in check_served_page(answer.text).text


def test_what_is_no_form_is_refused(own: httpx2.Client) -> None:
    answer = own.post("/account/tokens", json={"name": "x", "scopes": ["read"]})
    many = own.post("/account/tokens", data={f"f{n}": "x" for n in range(99)})

    assert (answer.status_code, many.status_code) == (422, 422)


def test_a_password_is_changed_and_the_other_sessions_end(
    team: TeamServer, ann: UserRecord, own: httpx2.Client
) -> None:
    fields = {"current": PASSWORD, "new": BETTER, "again": BETTER}
    with team.reader(ann) as elsewhere:
        typo = own.post("/account/password", data={**fields, "again": "other"})
        wrong = own.post("/account/password", data={**fields, "current": "guess"})
        changed = own.post("/account/password", data=fields)
        left = elsewhere.get("/account")

    assert (typo.status_code, wrong.status_code, changed.status_code) == (422, 401, 200)
    assert "not typed the same twice" in typo.text
    assert left.headers["location"].startswith("/sign-in")
    with team.visitor() as client:
        assert team.sign_in(client, "ann", BETTER).status_code == 200


def test_one_ends_a_session_of_ones_own(
    team: TeamServer, ann: UserRecord, own: httpx2.Client
) -> None:
    with team.reader(ann) as elsewhere:
        other = team.app.state.sessions.of(ann.id)[0].id
        listed = own.get("/account").text
        ended = own.post(f"/account/sessions/{other}/end")
        left = elsewhere.get("/account")

    assert f"/account/sessions/{other}/end" in listed
    assert "this one" in listed
    assert (ended.status_code, left.status_code) == (303, 303)
    assert left.headers["location"].startswith("/sign-in")


def test_a_user_is_made_with_a_password_that_is_told_once(
    team: TeamServer, chief: httpx2.Client
) -> None:
    made = chief.post("/users", data={"name": "Carl", "role": "user"})
    password = made.text.split("<code>")[1].split("</code>")[0]
    again = chief.post("/users", data={"name": "carl"})
    strange = chief.post("/users", data={"name": SCRIPTS[0]})
    listed = chief.get("/users")

    check_served_page(made.text)
    assert password not in listed.text and "carl" in listed.text
    assert (again.status_code, strange.status_code) == (409, 422)
    check_served_page(strange.text)
    with team.visitor() as client:
        assert team.sign_in(client, "carl", password).status_code == 200


def test_an_admin_changes_limits_role_and_whether_one_may_enter(
    team: TeamServer, ann: UserRecord, chief: httpx2.Client
) -> None:
    path = f"/users/{ann.id}"
    limits = {"rpm": "5", "tpm": "", "budget_usd": "1.50"}

    chief.post(path, data={**limits, "change": "limits"})
    chief.post(path, data={"change": "admin"})
    chief.post(path, data={"change": "disable"})

    found = team.app.state.accounts.get(ann.id)
    assert (found.rpm, found.tpm, str(found.budget_usd)) == (5, None, "1.50")
    assert found.admin and found.disabled
    listed = chief.get("/users").text
    assert 'value="1.50"' in listed and "disabled" in listed


def test_the_last_admin_stays(
    team: TeamServer, root: UserRecord, chief: httpx2.Client
) -> None:
    answer = chief.post(f"/users/{root.id}", data={"change": "disable"})

    assert answer.status_code == 409
    assert "the last admin" in check_served_page(answer.text).text


def test_the_users_are_for_admins(
    team: TeamServer, own: httpx2.Client, chief: httpx2.Client
) -> None:
    refused, shown = own.get("/users"), chief.get("/users")

    assert refused.status_code == 403
    assert "only an admin" in check_served_page(refused.text).text
    assert 'href="/users"' not in own.get("/account").text
    assert "hash" not in check_served_page(shown.text).text
