"""Sessions: one cookie, new at each sign-in, dead when it should be."""

import sqlite3
from http.cookies import SimpleCookie

import pytest
from servers.team import PASSWORD, TeamServer

from aistrale_lab.server import cookies
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.bearer import hashed

ME = "/api/v1/users/me"


def cookie_of(header: str) -> str:
    return SimpleCookie(header)[cookies.NAME].value


def rewind(team: TeamServer, column: str, hours: int) -> None:
    """Let time pass for all sessions of the store."""
    with sqlite3.connect(team.bench.store_url.removeprefix("sqlite:///")) as database:
        database.execute(
            f"UPDATE sessions SET {column} = datetime({column}, '-{hours} hours')"
        )
    database.close()


def test_a_cookie_that_only_this_host_and_no_script_and_no_plain_line_gets(
    team: TeamServer, ann: UserRecord
) -> None:
    """S26: `__Host-`, Secure, HttpOnly, SameSite=Lax, Path=/, no Domain."""
    with team.visitor() as nobody:
        header = team.sign_in(nobody, "ann").headers["set-cookie"]

    cookie = SimpleCookie(header)["__Host-aistrale"]
    assert cookie["secure"] and cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert len(cookie.value) >= 43  # 256 bits


def test_a_stolen_store_holds_no_cookie(team: TeamServer, ann: UserRecord) -> None:
    """S26: the store has the SHA-256 of what the browser has."""
    with team.visitor() as nobody:
        secret = cookie_of(team.sign_in(nobody, "ann").headers["set-cookie"])

    with sqlite3.connect(team.bench.store_url.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT * FROM sessions").fetchall()
    database.close()
    assert secret not in str(rows)
    assert hashed(secret) in str(rows)


def test_a_cookie_is_dead_after_the_sign_out(team: TeamServer, ann: UserRecord) -> None:
    """S26: replay after logout -> 401."""
    with team.browser(ann) as browser:
        before = browser.get(ME)
        out = browser.post("/api/v1/auth/logout")
        replayed = browser.get(ME)

    assert (before.status_code, out.status_code) == (200, 204)
    assert replayed.status_code == 401


@pytest.mark.parametrize(
    ("column", "hours", "status"),
    [("seen_at", 7, 200), ("seen_at", 9, 401), ("expires_at", 24 * 7 + 1, 401)],
)
def test_a_session_ends_when_it_is_idle_and_when_it_is_old(
    team: TeamServer, ann: UserRecord, column: str, hours: int, status: int
) -> None:
    """S26: idle and absolute timeout."""
    with team.browser(ann) as browser:
        rewind(team, column, hours)
        answer = browser.get(ME)

    assert answer.status_code == status


def test_a_session_that_is_used_does_not_become_idle(
    team: TeamServer, ann: UserRecord
) -> None:
    with team.browser(ann) as browser:
        for _ in range(3):
            rewind(team, "seen_at", 5)
            assert browser.get(ME).status_code == 200
            team.bench.store.recorder.call(lambda connection: None).result()


def test_a_planted_cookie_is_never_taken_over(
    team: TeamServer, ann: UserRecord
) -> None:
    """S27: GET with cookie X, login, cookie != X, X -> 401."""
    planted = "x" * 43
    with team.visitor(cookie=f"{cookies.NAME}={planted}") as browser:
        before = browser.get(ME)
        given = cookie_of(team.sign_in(browser, "ann").headers["set-cookie"])
        after = browser.get(ME)

    assert (before.status_code, after.status_code) == (401, 401)
    assert given != planted


def test_a_new_sign_in_ends_the_session_that_the_browser_had(
    team: TeamServer, ann: UserRecord, bob: UserRecord
) -> None:
    """S27: new token on login, old one dead, whosever it was."""
    with team.browser(bob) as browser:
        fresh = cookie_of(team.sign_in(browser, "ann").headers["set-cookie"])
        old = browser.get(ME)
        browser.headers["cookie"] = f"{cookies.NAME}={fresh}"
        new = browser.get(ME)

    assert old.status_code == 401
    assert new.json()["name"] == "ann"


def test_ones_sessions_are_listed_and_ended_one_by_one(
    team: TeamServer, ann: UserRecord
) -> None:
    """S33: list and revoke one's own."""
    with team.browser(ann) as here, team.browser(ann) as there:
        listed = here.get("/api/v1/sessions").json()["items"]
        [other] = [one for one in listed if not one["current"]]
        ended = here.delete(f"/api/v1/sessions/{other['id']}")
        alive, dead = here.get(ME), there.get(ME)

    assert len(listed) == 2
    assert ended.status_code == 204
    assert (alive.status_code, dead.status_code) == (200, 401)


def test_a_changed_password_ends_all_other_sessions(
    team: TeamServer, ann: UserRecord
) -> None:
    """S33: a password change kills sessions; the old password is dead too."""
    words = {"current": PASSWORD, "new": "another horse, another battery"}
    with team.browser(ann) as here, team.browser(ann) as there:
        wrong = here.post(
            "/api/v1/users/me/password", json={**words, "current": "wrong"}
        )
        changed = here.post("/api/v1/users/me/password", json=words)
        alive, dead = here.get(ME), there.get(ME)
    with team.visitor() as nobody:
        old, new = (
            team.sign_in(nobody, "ann", word) for word in (PASSWORD, words["new"])
        )

    assert (wrong.status_code, changed.status_code) == (401, 204)
    assert (alive.status_code, dead.status_code) == (200, 401)
    assert (old.status_code, new.status_code) == (401, 200)
