"""Secrets that sign somebody in: made once, shown once, stored as their SHA-256.

256 random bits need no slow hash: nobody can try them out.
"""

import hashlib
import secrets
from datetime import timedelta

SEEN_EVERY = timedelta(minutes=1)
"""How exactly the store knows when a secret was last used."""


def new_secret(prefix: str = "") -> str:
    """256 random bits as text."""
    return prefix + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is stored of a secret, in hexadecimal digits."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
