"""Signing in and out, for the API and for the page that asks for a password."""

import ipaddress
from datetime import datetime
from typing import cast

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import NotSignedInError, ThrottledError
from aistrale_lab.server import cookies
from aistrale_lab.store.accounts import UserRecord, folded

REFUSED = "name or password is wrong"
"""The same for a user that there is not, a wrong password, and a disabled user."""


class SignedIn(Value):
    """A user with a new session; `secret` goes into the cookie."""

    user: UserRecord
    secret: str
    expires_at: datetime


async def sign_in(request: Request, name: str, password: str) -> SignedIn:
    """Start a session; the one that the browser had before, whoever's, ends.

    Raises NotSignedInError, or ThrottledError after too many failures of the account
    or from the address.
    """
    user = await check_password_of(request, name, password)
    old = cookies.secret_in(request)
    sessions = request.app.state.sessions
    if old is not None:
        await run_in_threadpool(sessions.end_by, old)
    agent = request.headers.get("user-agent", "")
    secret, expires_at = await run_in_threadpool(
        sessions.add, user.id, address=address_of(request), agent=agent
    )
    return SignedIn(user=user, secret=secret, expires_at=expires_at)


async def check_password_of(request: Request, name: str, password: str) -> UserRecord:
    """The user of a name and a password; each try is counted. Raises as `sign_in`."""
    state, account, network = request.app.state, folded(name), _network_of(request)
    wait = await run_in_threadpool(state.sign_ins.begin, account, network)
    if wait > 0:
        state.metrics.sign_ins.labels("throttled").inc()
        raise ThrottledError("too many failed sign-ins; wait", retry_after=wait)
    found = await run_in_threadpool(state.accounts.find, account)
    user, stored = found if found is not None else (None, None)
    right = await state.passwords.verify(stored, password)
    if not right or user is None or user.disabled:
        state.metrics.sign_ins.labels("refused").inc()
        raise NotSignedInError(REFUSED)
    state.metrics.sign_ins.labels("accepted").inc()
    await run_in_threadpool(state.sign_ins.succeed, account, network)
    if state.passwords.is_outdated(stored):
        fresh = await state.passwords.hash(password)
        await run_in_threadpool(state.accounts.rehash, user.id, stored, fresh)
    return cast(UserRecord, user)


def address_of(request: Request) -> str:
    """Where the request comes from: the other end of the connection, or whom a proxy
    that is trusted by the settings names.
    """
    return request.client.host if request.client else "unknown"


def _network_of(request: Request) -> str:
    """The address; of IPv6 the network of 64 bits, all of which one household has."""
    try:
        address = ipaddress.ip_address(address_of(request))
    except ValueError:
        return address_of(request)
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
