"""Passwords: which are taken, and how they are kept.

Argon2id with the parameters of OWASP's password storage cheat sheet: 19 MiB, two
passes, one lane. Only a few are computed at once, or a hundred sign-ins would take
two gigabytes.
"""

import asyncio
import secrets
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import ValidationError
from aistrale_lab.store.accounts import folded

AT_ONCE = 4
"""Hashes in the making."""

SHORTEST, LONGEST = 8, 1000
"""Characters. 15 and more are advised; none is ever cut off or changed."""


class Passwords:
    """Hashes and verifies, a few at a time."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    def hash_now(self, password: str) -> str:
        """The hash to store, without waiting for a turn."""
        return self._hasher.hash(password)

    async def hash(self, password: str) -> str:
        """The hash to store."""
        async with self._turn:
            return await run_in_threadpool(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one of a hash.

        Without a hash, for a user that there is not, it takes as long and is false.
        """
        async with self._turn:
            right = await run_in_threadpool(
                self._verify, stored or self._nobodys, password
            )
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def check_password(password: str, name: str) -> None:
    """Raise ValidationError for a password that is guessed first. No rule of signs."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValidationError(
            f"a password has {SHORTEST} to {LONGEST:,} characters; 15 and more are best"
        )
    if folded(password) in _common() or folded(password) == folded(name):
        raise ValidationError("this password is among those that are guessed first")


def one_time_password() -> str:
    """A password for a user who will choose another: 120 random bits."""
    return secrets.token_urlsafe(15)


@cache
def _common() -> frozenset[str]:
    text = files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))
