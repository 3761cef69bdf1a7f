"""Who makes a request: the session of its cookie, or the token that it bears."""

import hmac
from collections.abc import Set

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import NotSignedInError
from aistrale_lab.server import cookies
from aistrale_lab.server.caller import SCOPES, Caller, Scope
from aistrale_lab.server.together import Together
from aistrale_lab.store.accounts import UserRecord
from aistrale_lab.store.sessions import Sessions
from aistrale_lab.store.tokens import TokenRecord, Tokens

BEARER = "bearer "


class Guard:
    """Asked at every door. The store is asked each time: nothing is remembered."""

    def __init__(
        self,
        sessions: Sessions,
        tokens: Tokens,
        *,
        max_body: int,
        public_url: str | None,
        metrics_token: str | None,
    ) -> None:
        self.max_body = max_body
        self.public_url = public_url
        self._metrics_token = metrics_token
        self._sessions = sessions
        self._tokens = tokens
        self._bearers = Together(self._by_tokens)

    def is_scraper(self, request: Request) -> bool:
        """Whether it bears the token of the metrics."""
        token, expected = bearer_of(request), self._metrics_token
        if token is None or expected is None:
            return False
        return hmac.compare_digest(token.encode(), expected.encode())

    async def identify(self, request: Request) -> Caller | None:
        """Who makes the request; None if it carries no proof.

        A token goes before a cookie. Raises NotSignedInError for a proof that is not
        valid, or not any more.
        """
        token = bearer_of(request)
        if token is not None:
            return await self._by_token(token)
        secret = cookies.secret_in(request)
        if secret is not None:
            return await run_in_threadpool(self._by_session, secret)
        return None

    async def _by_token(self, secret: str) -> Caller:
        found = await self._bearers.find(secret)
        if found is None:
            raise NotSignedInError("the token is not valid, or not any more")
        return found

    def _by_tokens(self, secrets: Set[str]) -> dict[str, Caller]:
        found = self._tokens.find_all(secrets)
        return {secret: _bearer(*one) for secret, one in found.items()}

    def _by_session(self, secret: str) -> Caller:
        found = self._sessions.find(secret)
        if found is None:
            raise NotSignedInError("the session has ended; sign in again")
        session, user = found
        return _caller(user, SCOPES, session_id=session.id)


def bearer_of(request: Request) -> str | None:
    """The token that a request bears, if it bears any."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    return header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""


def _bearer(token: TokenRecord, user: UserRecord) -> Caller:
    scopes = frozenset(one for one in SCOPES if one in token.scopes)
    return _caller(user, scopes, token_id=token.id)


def _caller(
    user: UserRecord,
    scopes: frozenset[Scope],
    *,
    token_id: str | None = None,
    session_id: str | None = None,
) -> Caller:
    return Caller(
        user_id=user.id,
        name=user.name,
        admin=user.admin,
        scopes=scopes,
        token_id=token_id,
        session_id=session_id,
        rpm=user.rpm,
        tpm=user.tpm,
        budget_usd=user.budget_usd,
    )
