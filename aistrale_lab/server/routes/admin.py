"""Users, as an admin sees them."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from aistrale_lab.server.doors import ADMIN, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.passwords import one_time_password
from aistrale_lab.server.shapes import Asked, Id, Limits, Page, Role, Session, User
from aistrale_lab.store.accounts import NAME_PATTERN, UserRecord

router = APIRouter(
    prefix="/api/v1/admin/users", route_class=GuardedRoute, tags=["admin"]
)


class NewUser(Asked):
    """A user to be made, who is given a one-time password."""

    name: str = Field(pattern=NAME_PATTERN)
    role: Role = "user"


class MadeUser(User):
    """A user with a new password, which is not told again."""

    password: str


class Changes(Asked):
    """What is not named stays. Limits are set all together."""

    role: Role | None = None
    disabled: bool | None = None
    limits: Limits | None = None


@router.get("")
@door(ADMIN)
def list_users(request: Request) -> Page[User]:
    """All users, by name."""
    return Page(items=[User.of(one) for one in request.app.state.accounts.list()])


@router.post("", status_code=201, responses=describe_errors(409))
@door(ADMIN)
async def add_user(asked: NewUser, request: Request) -> MadeUser:
    """Make a user; the one-time password is in this answer, and in no later one."""
    state, password = request.app.state, one_time_password()
    hashed = await state.passwords.hash(password)
    user = await run_in_threadpool(
        state.accounts.add, asked.name, hashed, role=asked.role
    )
    return _made(user, password)


@router.patch("/{user_id}", responses=describe_errors(404, 409))
@door(ADMIN)
def change_user(user_id: Id, asked: Changes, request: Request) -> User:
    """Change role, limits, or whether a user may sign in.

    A change of the first or the last ends the user's sessions. The last admin stays.
    """
    changes: dict[str, Any] = asked.model_dump(exclude_none=True, exclude={"limits"})
    if asked.limits is not None:
        changes |= asked.limits.model_dump()
    return User.of(request.app.state.accounts.change(user_id, changes))


@router.post("/{user_id}/reset", responses=describe_errors(404))
@door(ADMIN)
async def reset_password(user_id: Id, request: Request) -> MadeUser:
    """Give a user a new one-time password; their sessions and tokens all end."""
    state, password = request.app.state, one_time_password()
    changes = {"password_hash": await state.passwords.hash(password)}
    user = await run_in_threadpool(
        state.accounts.change, user_id, changes, revoke_tokens=True
    )
    return _made(user, password)


@router.get("/{user_id}/sessions", responses=describe_errors(404))
@door(ADMIN)
def list_sessions(user_id: Id, request: Request) -> Page[Session]:
    """Where a user is signed in."""
    request.app.state.accounts.get(user_id)
    found = request.app.state.sessions.of(user_id)
    return Page(items=[Session.of(one, None) for one in found])


@router.delete("/{user_id}/sessions", status_code=204, responses=describe_errors(404))
@door(ADMIN)
def end_sessions(user_id: Id, request: Request) -> None:
    """Sign a user out everywhere."""
    request.app.state.accounts.get(user_id)
    request.app.state.sessions.end_all(user_id)


def _made(user: UserRecord, password: str) -> MadeUser:
    return MadeUser(**User.of(user).model_dump(), password=password)
