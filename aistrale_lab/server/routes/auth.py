"""Signing in and out, oneself, and one's own sessions."""

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import NotFoundError
from aistrale_lab.server import cookies
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import ANYBODY, OPEN, SESSION, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.passwords import LONGEST, SHORTEST, check_password
from aistrale_lab.server.shapes import Asked, Id, Page, Session, User
from aistrale_lab.server.signing import check_password_of, sign_in

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute, tags=["sign-in"])


class Credentials(Asked):
    """A name and its password."""

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=LONGEST)


class NewPassword(Asked):
    """The password as it is, and as it shall be."""

    current: str = Field(min_length=1, max_length=LONGEST)
    new: str = Field(max_length=LONGEST, json_schema_extra={"minLength": SHORTEST})


@router.post("/auth/login", responses=describe_errors(401, 403, 429))
@door(OPEN)
async def login(asked: Credentials, request: Request, response: Response) -> User:
    """Sign in; the session's cookie comes with the answer."""
    signed_in = await sign_in(request, asked.name, asked.password)
    cookies.set_cookie(response, signed_in.secret, signed_in.expires_at)
    return User.of(signed_in.user)


@router.post("/auth/logout", status_code=204)
@door(SESSION)
def logout(request: Request, response: Response) -> None:
    """End the session that asks."""
    caller = caller_of(request)
    request.app.state.sessions.end(caller.user_id, caller.session_id)
    cookies.clear_cookie(response)


@router.get("/users/me")
@door(ANYBODY)
def me(request: Request) -> User:
    """Who is signed in."""
    return User.of(request.app.state.accounts.get(caller_of(request).user_id))


@router.post("/users/me/password", status_code=204, responses=describe_errors(429))
@door(SESSION)
async def change_password(asked: NewPassword, request: Request) -> None:
    """Change one's own password; all other sessions end."""
    caller, state = caller_of(request), request.app.state
    check_password(asked.new, caller.name)
    await check_password_of(request, caller.name, asked.current)
    changes = {"password_hash": await state.passwords.hash(asked.new)}
    await run_in_threadpool(
        state.accounts.change, caller.user_id, changes, keep=caller.session_id
    )


@router.get("/sessions")
@door(SESSION)
def list_sessions(request: Request) -> Page[Session]:
    """One's own sessions, newest first."""
    caller = caller_of(request)
    found = request.app.state.sessions.of(caller.user_id)
    return Page(items=[Session.of(one, caller.session_id) for one in found])


@router.delete(
    "/sessions/{session_id}", status_code=204, responses=describe_errors(404)
)
@door(SESSION)
def end_session(session_id: Id, request: Request) -> None:
    """End one of one's own sessions."""
    if not request.app.state.sessions.end(caller_of(request).user_id, session_id):
        raise NotFoundError(f"there is no session {session_id!r}")
