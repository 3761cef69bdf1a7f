"""Another site's page cannot change anything with a user's cookie."""

import pytest
from servers.team import TeamServer

from aistrale_lab.store.accounts import UserRecord

LOGOUT = "/api/v1/auth/logout"

FORGED: dict[str, dict[str, str]] = {
    "another origin": {"origin": "http://evil", "x-aistrale": "1"},
    "cross-site": {"sec-fetch-site": "cross-site", "x-aistrale": "1"},
    "same site, another host": {"sec-fetch-site": "same-site", "x-aistrale": "1"},
    "no origin": {"x-aistrale": "1"},
    "a sandboxed frame": {"origin": "null", "x-aistrale": "1"},
    "text": {"sec-fetch-site": "same-origin", "content-type": "text/plain"},
    "an evil form": {
        "origin": "http://evil",
        "content-type": "application/x-www-form-urlencoded",
    },
    "said one way and another": {
        "origin": "http://evil",
        "sec-fetch-site": "same-origin",
        "x-aistrale": "1",
    },
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED.keys())
def test_a_forged_post_without_a_body_changes_nothing(
    team: TeamServer, ann: UserRecord, headers: dict[str, str]
) -> None:
    """S28: Origin, Sec-Fetch-Site, none, text/plain and forms on a bodyless POST."""
    with team.browser(ann) as browser:
        cookie = {"cookie": browser.headers["cookie"]}
        with team.visitor(**cookie, **headers) as forger:
            answer = forger.post(LOGOUT)
        alive = browser.get("/api/v1/users/me")

    assert answer.status_code == 403
    assert answer.json()["error"]["error_type"] == "ForgedRequestError"
    assert alive.status_code == 200


def test_our_own_pages_and_their_forms_pass(team: TeamServer, ann: UserRecord) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    with team.browser(ann) as scripted, team.browser(ann) as submitted:
        del submitted.headers["x-aistrale"]
        answers = [scripted.post(LOGOUT), submitted.post(LOGOUT, headers=form)]

    assert [a.status_code for a in answers] == [204, 204]


def test_a_token_needs_no_origin(team: TeamServer, ann: UserRecord) -> None:
    """S28: bearer tokens are exempt, for no browser adds them by itself."""
    with team.bearer(ann) as program:
        answer = program.get("/api/v1/users/me", headers={"origin": "http://evil"})

    assert answer.status_code == 200


def test_another_site_cannot_sign_a_browser_in(
    team: TeamServer, ann: UserRecord
) -> None:
    """S28: login itself, or a victim works in the attacker's account."""
    with team.visitor() as nobody:
        forged = team.sign_in(nobody, "ann", origin="http://evil")
        own = team.sign_in(nobody, "ann", origin=team.url)

    assert (forged.status_code, own.status_code) == (403, 200)
    assert "set-cookie" not in forged.headers


def test_nothing_is_changed_by_reading(team: TeamServer, ann: UserRecord) -> None:
    """S28: no state change on GET."""
    with team.browser(ann) as browser:
        answer = browser.get(LOGOUT)
        alive = browser.get("/api/v1/users/me")

    assert (answer.status_code, alive.status_code) == (405, 200)
