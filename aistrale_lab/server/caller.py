"""Who makes a request, as far as the server has proof of it."""

from decimal import Decimal
from typing import Literal, get_args

from fastapi import Request

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import NotSignedInError
from aistrale_lab.store.visibility import Viewer

Scope = Literal["inference", "read", "write"]
"""What a token may be good for; whoever is signed in by a cookie has all."""

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))


class Caller(Value):
    """A user who is signed in by a session (a cookie), or one of whose tokens came."""

    user_id: str
    name: str
    admin: bool
    scopes: frozenset[Scope]
    token_id: str | None = None
    session_id: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    budget_usd: Decimal | None = None
    """Limits of the user's own; None: the server's."""

    @property
    def viewer(self) -> Viewer:
        """Who looks at experiments."""
        return Viewer(user_id=self.user_id, admin=self.admin)


def caller_of(request: Request) -> Caller:
    """Who makes the request; raises NotSignedInError if nobody does."""
    found: Caller | None = getattr(request.state, "caller", None)
    if found is None:
        raise NotSignedInError("sign in first")
    return found
