"""Users, sessions, tokens and tries to sign in, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aistrale_lab.errors import ConflictError, NotFoundError
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.results import Store
from aistrale_lab.store.sessions import Sessions
from aistrale_lab.store.sign_ins import FREE_ACCOUNT, SignIns
from aistrale_lab.store.tokens import Tokens

LONG = timedelta(days=7)


def test_a_user_is_found_by_a_name_of_any_case_and_changed(store: Store) -> None:
    accounts = Accounts(store)
    ann = accounts.add("Ann", "hash", role="user")

    changed = accounts.change(ann.id, {"rpm": 3, "budget_usd": "12.50"})

    assert accounts.find("ANN") == (changed, "hash")
    assert str(changed.budget_usd) == "12.50"
    with pytest.raises(ConflictError):
        accounts.add("ann", "hash", role="admin")
    with pytest.raises(NotFoundError):
        accounts.change("nobody", {"rpm": 3})


def test_of_two_admins_who_leave_at_once_one_stays(url: str, store: Store) -> None:
    accounts = Accounts(store)
    admins = [accounts.add(name, "hash", role="admin") for name in ("one", "two")]
    second = Store.open(url)

    def demote(number: int) -> bool:
        try:
            own = Accounts((store, second)[number])
            own.change(admins[number].id, {"role": "user"})
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        demoted = list(pool.map(demote, range(2)))
    second.close()

    assert sorted(demoted) == [False, True]
    assert [user.admin for user in accounts.list()].count(True) == 1


def test_a_session_is_proved_by_its_secret_until_something_ends_it(
    store: Store,
) -> None:
    accounts = Accounts(store)
    ann = accounts.add("ann", "hash", role="user")
    sessions = Sessions(store, idle=LONG, longest=LONG)
    here, _ = sessions.add(ann.id, address="::1", agent="a" * 1000)
    there, _ = sessions.add(ann.id, address="::1", agent="")

    found = sessions.find(here)
    assert found is not None and found[1] == ann
    accounts.change(ann.id, {"password_hash": "other"}, keep=found[0].id)

    assert sessions.find(here) is not None
    assert sessions.find(there) is None
    assert [one.id for one in sessions.of(ann.id)] == [found[0].id]
    assert sessions.end(ann.id, found[0].id)
    assert sessions.find(here) is None


def test_a_token_is_proved_by_its_secret_until_it_expires_or_is_revoked(
    store: Store,
) -> None:
    ann = Accounts(store).add("ann", "hash", role="user")
    tokens = Tokens(store)
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired, _ = tokens.add(ann.id, "old", scopes=["read"], expires_at=past)
    secret, record = tokens.add(ann.id, "new", scopes=["write", "read"])

    found = tokens.find(secret)
    assert found is not None and found[0].scopes == ("read", "write")
    assert tokens.find(expired) is None
    assert tokens.find(secret + "x") is None
    assert tokens.revoke(ann.id, record.id)
    assert tokens.find(secret) is None
    assert not tokens.revoke(ann.id, record.id)


def test_tries_at_once_in_two_processes_are_counted_before_they_are_made(
    url: str, store: Store
) -> None:
    second = Store.open(url)
    counted = [SignIns(one) for one in (store, second)]

    def begin(number: int) -> float:
        return counted[number % 2].begin("ann", f"10.0.0.{number}")

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(begin, range(3 * FREE_ACCOUNT)))
    second.close()

    assert FREE_ACCOUNT <= waits.count(0.0) < 2 * FREE_ACCOUNT


def test_a_right_password_clears_the_accounts_failures(store: Store) -> None:
    sign_ins = SignIns(store)
    for _ in range(FREE_ACCOUNT - 1):
        sign_ins.begin("ann", "10.0.0.1")

    sign_ins.succeed("ann", "10.0.0.1")

    assert [sign_ins.begin("ann", "10.0.0.1") for _ in range(FREE_ACCOUNT)] == [
        0.0
    ] * FREE_ACCOUNT
