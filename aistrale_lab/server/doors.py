"""Who may pass: each route has a door, and a route without one is not served.

A door is passed before anything of the body is read: first who it is (401), then
whether that is enough (403), then whether the request is the caller's own and not
forged by another site (403); only then is the body read (413) and checked (422).
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from aistrale_lab.errors import ConfigError, ForbiddenError, NotSignedInError
from aistrale_lab.server.bodies import CheckedRequest
from aistrale_lab.server.caller import Caller, Scope
from aistrale_lab.server.origins import check_own, check_not_foreign

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True)
class Door:
    """What it takes to pass. `max_body` is in bytes; None: as the settings say."""

    signed_in: bool = True
    cookie_only: bool = False
    token_only: bool = False
    admin: bool = False
    scope: Scope | None = None
    scraper: bool = False
    max_body: int | None = None


OPEN = Door(signed_in=False)
ANYBODY = Door()
"""Whoever is signed in, by whatever token."""

SESSION = Door(cookie_only=True)
ADMIN = Door(cookie_only=True, admin=True)
METRICS = Door(cookie_only=True, admin=True, scraper=True)
"""An admin, or whoever bears the token of the metrics."""


def USER(scope: Scope, *, max_body: int | None = None) -> Door:
    """A session, or a token with that scope."""
    return Door(scope=scope, max_body=max_body)


def TOKEN(scope: Scope) -> Door:
    """A token with that scope, and no session."""
    return Door(scope=scope, token_only=True)


class Guard(Protocol):
    """What a door asks: `app.state.guard`."""

    max_body: int
    public_url: str | None

    def is_scraper(self, request: Request) -> bool:
        """Whether it bears the token of the metrics."""

    def identify(self, request: Request) -> Awaitable[Caller | None]:
        """Who makes the request; raises NotSignedInError for a proof that is void."""


def door(which: Door) -> Callable[[Endpoint], Endpoint]:
    """Put a door before a route; stands below the decorator of the route."""

    def put(endpoint: Endpoint) -> Endpoint:
        endpoint.door = which  # type: ignore[attr-defined]  # read by GuardedRoute
        return endpoint

    return put


class GuardedRoute(APIRoute):
    """A route behind its door; `route_class` of every router of the server."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the door."""
        handle = super().get_route_handler()
        which = door_of(self)

        async def guarded(request: Request) -> Response:
            request.state.route = self.path
            await _pass(which, request)
            limit = which.max_body or request.app.state.guard.max_body
            return await handle(CheckedRequest(request, limit))

        return guarded


def door_of(route: APIRoute) -> Door:
    """The door of a route; raises ConfigError if it has none."""
    found = getattr(route.endpoint, "door", None)
    if not isinstance(found, Door):
        raise ConfigError(f"route {route.path!r} has no door: it would be open to all")
    return found


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, Door]]:
    """Every route that is served, as (method, path, door).

    Raises ConfigError for one that no door guards. Static files are open.
    """
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, GuardedRoute):
            for method in sorted(context.methods or ()):
                yield method, str(context.path), door_of(route)
        elif isinstance(route, Mount) and isinstance(route.app, StaticFiles):
            yield "GET", f"{route.path}/{{file}}", OPEN
        else:
            path = getattr(route, "path", route)
            raise ConfigError(f"route {path!r} is no GuardedRoute: nothing guards it")


async def _pass(which: Door, request: Request) -> None:
    guard: Guard = request.app.state.guard
    if not which.signed_in:
        check_not_foreign(request, guard.public_url)
        return
    if which.scraper and guard.is_scraper(request):
        return
    caller = await guard.identify(request)
    if caller is None:
        raise NotSignedInError("sign in first")
    request.state.caller = caller
    if which.token_only and caller.token_id is None:
        raise NotSignedInError("send a token: Authorization: Bearer ...")
    if which.cookie_only and caller.session_id is None:
        raise ForbiddenError("a token cannot do this; sign in")
    if which.admin and not caller.admin:
        raise ForbiddenError("only an admin may do this")
    if which.scope is not None and which.scope not in caller.scopes:
        raise ForbiddenError(f"the token has no scope {which.scope!r}")
    if caller.session_id is not None:
        check_own(request, guard.public_url)
