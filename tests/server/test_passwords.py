"""Passwords: argon2id, a few at once, of any length and kind but the guessed ones."""

import asyncio

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from servers.team import PASSWORD, TeamServer

from aistrale_lab.errors import ValidationError
from aistrale_lab.server.passwords import AT_ONCE, Passwords, check_password
from aistrale_lab.store.accounts import UserRecord

TAKEN = {
    "200 characters": "long" * 50,
    "73 bytes": "b" * 73,
    "emoji": "🐎🔋📎🐎🔋📎🐎🔋",
    "NUL": "seven\0seven",
    "spaces": "  two spaces before and after  ",
}


@pytest.mark.parametrize("password", TAKEN.values(), ids=TAKEN.keys())
def test_any_text_is_a_password_to_its_last_character(
    team: TeamServer, ann: UserRecord, password: str
) -> None:
    """S29: 200-char, 73-byte, emoji, NUL; no truncation, no change of case."""
    with team.browser(ann) as browser:
        changed = browser.post(
            "/api/v1/users/me/password", json={"current": PASSWORD, "new": password}
        )
    with team.visitor() as nobody:
        whole = team.sign_in(nobody, "ann", password)
        others = [
            team.sign_in(nobody, "ann", other).status_code
            for other in {password[:-1], f"{password} ", password.upper()} - {password}
        ]

    assert (changed.status_code, whole.status_code) == (204, 200)
    assert set(others) == {401}


@pytest.mark.parametrize(
    "password",
    ["x" * 1_000_000, "seven77", "1qaz2wsx", "Trustno1"],
    ids=["1 MB", "short", "common", "common in capitals"],
)
def test_a_password_that_cannot_be_is_refused_in_words(
    team: TeamServer, ann: UserRecord, password: str
) -> None:
    """S29: 1 MB password -> 422; 8 minimum; the 3,000 most common ones."""
    with team.browser(ann) as browser:
        answer = browser.post(
            "/api/v1/users/me/password", json={"current": PASSWORD, "new": password}
        )

    assert answer.status_code == 422
    assert password not in answer.text


def test_ones_own_name_is_no_password() -> None:
    with pytest.raises(ValidationError, match="guessed first"):
        check_password("Annabella", "annabella")


def test_a_hash_is_argon2id_with_the_parameters_of_owasp() -> None:
    """S29: m=19 MiB, t=2, p=1."""
    found = extract_parameters(Passwords().hash_now("password"))

    assert (found.type, found.parallelism) == (Type.ID, 1)
    assert (found.memory_cost, found.time_cost) == (19 * 1024, 2)


async def test_only_a_few_hashes_are_made_at_once() -> None:
    """S29: 100 sign-ins must not take 100 times the memory."""
    passwords = Passwords()
    stored = passwords.hash_now("right")
    inside, most = 0, 0

    def count(stored: str, password: str) -> bool:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            return verify(stored, password)
        finally:
            inside -= 1

    verify, passwords._verify = passwords._verify, count  # type: ignore[method-assign]
    found = await asyncio.gather(
        *(passwords.verify(stored, "right") for _ in range(24))
    )

    assert all(found)
    assert 1 < most <= AT_ONCE


def test_an_old_hash_is_made_anew_at_the_sign_in(
    team: TeamServer, ann: UserRecord
) -> None:
    """S29: rehash on login."""
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    accounts = team.app.state.accounts
    accounts.rehash(ann.id, accounts.password_hash(ann.id), weak)

    with team.visitor() as nobody:
        first, second = team.sign_in(nobody, "ann"), team.sign_in(nobody, "ann")

    assert (first.status_code, second.status_code) == (200, 200)
    assert extract_parameters(accounts.password_hash(ann.id)).memory_cost == 19 * 1024
