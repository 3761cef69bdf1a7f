"""Admins: what they may change, what clients may not set, and who remains."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from servers.team import TeamServer

from aistrale_lab.store.accounts import UserRecord

USERS = "/api/v1/admin/users"
ME = "/api/v1/users/me"


def test_a_demoted_admin_is_none_at_the_next_request(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    """S33: role read from the database each request; a role change kills sessions."""
    other = team.add_user("other", "admin")
    with team.browser(other) as demoted, team.browser(root) as admin:
        before = demoted.get(USERS)
        admin.patch(f"{USERS}/{other.id}", json={"role": "user"})
        after = demoted.get(USERS)
    with team.browser(other) as again:
        signed_in_again = again.get(USERS)

    assert (before.status_code, after.status_code) == (200, 401)
    assert signed_in_again.status_code == 403


def test_a_disabled_user_has_neither_sessions_nor_tokens(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    """S33: disable kills sessions, and tokens while it lasts."""
    with team.browser(ann) as browser, team.bearer(ann) as program:
        with team.browser(root) as admin:
            admin.patch(f"{USERS}/{ann.id}", json={"disabled": True})
            disabled = [browser.get(ME).status_code, program.get(ME).status_code]
            admin.patch(f"{USERS}/{ann.id}", json={"disabled": False})
        enabled = [browser.get(ME).status_code, program.get(ME).status_code]

    assert disabled == [401, 401]
    assert enabled == [401, 200]


def test_a_revoked_token_and_an_expired_one_are_refused(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.browser(ann) as browser:
        made = browser.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]})
        bearer = {"authorization": f"Bearer {made.json()['secret']}"}
        with team.visitor(**bearer) as program:
            before = program.get(ME)
            browser.delete(f"/api/v1/tokens/{made.json()['id']}")
            after = program.get(ME)
        listed = browser.get("/api/v1/tokens").json()["items"]

    assert (made.status_code, before.status_code, after.status_code) == (201, 200, 401)
    assert [one["revoked_at"] is not None for one in listed] == [True]
    assert made.json()["secret"] not in str(listed)


def test_an_admin_signs_anybody_out_and_resets_a_password(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    """S33: admin revokes anyone's."""
    with (
        team.browser(ann) as browser,
        team.browser(root) as admin,
        team.bearer(ann) as program,
        team.bearer(root) as another,
    ):
        seen = admin.get(f"{USERS}/{ann.id}/sessions").json()["items"]
        admin.delete(f"{USERS}/{ann.id}/sessions")
        signed_out, with_token = browser.get(ME), program.get(ME)
        password = admin.post(f"{USERS}/{ann.id}/reset").json()["password"]
        revoked, of_another = program.get(ME), another.get(ME)
    with team.visitor() as nobody:
        old, new = team.sign_in(nobody, "ann"), team.sign_in(nobody, "ann", password)

    assert len(seen) == 1
    assert signed_out.status_code == 401
    assert (with_token.status_code, revoked.status_code) == (200, 401)
    assert of_another.status_code == 200
    assert (old.status_code, new.status_code) == (401, 200)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "eve", "is_admin": True, "password_hash": "x"},
        {"name": "eve", "id": "1", "created_at": "2020-01-01"},
        {"name": "eve", "role": "owner"},
        {"name": "../../etc/passwd"},
    ],
)
def test_fields_that_are_not_a_clients_are_refused(
    team: TeamServer, root: UserRecord, body: dict[str, Any]
) -> None:
    """S34: POST user {"is_admin":true,"password_hash":"x"}."""
    with team.browser(root) as admin:
        answer = admin.post(USERS, json=body)
        names = [one["name"] for one in admin.get(USERS).json()["items"]]

    assert answer.status_code == 422
    assert names == ["root"]


def test_no_role_is_taken_from_oneself(team: TeamServer, ann: UserRecord) -> None:
    """S34: no role from clients."""
    with team.browser(ann) as browser:
        patched = browser.patch(f"{USERS}/{ann.id}", json={"role": "admin"})
        me = browser.get(ME).json()

    assert patched.status_code == 403
    assert me["role"] == "user"


def test_no_answer_about_users_holds_a_hash(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    """S34: GET /users has no `hash`."""
    with team.browser(root) as admin:
        answers = [
            admin.get(USERS),
            admin.get(ME),
            admin.post(USERS, json={"name": "new"}),
            admin.patch(
                f"{USERS}/{ann.id}", json={"limits": {"rpm": 3, "budget_usd": "0.50"}}
            ),
        ]

    assert [a.status_code for a in answers] == [200, 200, 201, 200]
    assert not [a for a in answers if "hash" in a.text or "argon2" in a.text]
    assert answers[3].json()["limits"] == {"rpm": 3, "tpm": None, "budget_usd": "0.50"}


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}])
def test_the_last_admin_stays(
    team: TeamServer, root: UserRecord, change: dict[str, Any]
) -> None:
    """S34: the last admin cannot be removed."""
    with team.browser(root) as admin:
        answer = admin.patch(f"{USERS}/{root.id}", json=change)
        still = admin.get(USERS)

    assert answer.status_code == 409
    assert still.status_code == 200


def test_two_admins_who_demote_each_other_at_once_do_not_both_succeed(
    team: TeamServer, root: UserRecord
) -> None:
    """S34: nor by a race."""
    other = team.add_user("other", "admin")
    with team.browser(root) as one, team.browser(other) as two:
        asked = [(one, other.id), (two, root.id)]
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(
                    lambda a: a[0].patch(f"{USERS}/{a[1]}", json={"role": "user"}),
                    asked,
                )
            )

    admins = [user for user in team.app.state.accounts.list() if user.admin]
    assert len(admins) == 1


def test_a_name_is_taken_whatever_its_case(
    team: TeamServer, ann: UserRecord, root: UserRecord
) -> None:
    with team.browser(root) as admin:
        answer = admin.post(USERS, json={"name": "ANN"})

    assert answer.status_code == 409
    assert answer.json()["error"]["error_type"] == "ConflictError"
