"""The users of the server, for its admins."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import LabError
from aistrale_lab.server.doors import ADMIN, GuardedRoute, door
from aistrale_lab.server.pages.forms import checked, one, read_form
from aistrale_lab.server.pages.kept import in_thread
from aistrale_lab.server.pages.refusals import beside_form, told_of
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.routes import admin
from aistrale_lab.server.shapes import Limits

router = APIRouter(prefix="/users", route_class=GuardedRoute, include_in_schema=False)

CHANGES = {
    "admin": admin.Changes(role="admin"),
    "user": admin.Changes(role="user"),
    "disable": admin.Changes(disabled=True),
    "enable": admin.Changes(disabled=False),
}
"""What a button of the page does to a user."""


def _page(
    request: Request,
    *,
    error: LabError | None = None,
    made: admin.MadeUser | None = None,
) -> Response:
    return page(
        request,
        "users.html.jinja",
        **told_of(error),
        made=made,
        users=admin.list_users(request).items,
        defaults=request.app.state.settings,
    )


@router.get("")
@door(ADMIN)
async def users(request: Request) -> Response:
    """All users, with their limits."""
    return await in_thread(request, _page, request)


@router.post("")
@door(ADMIN)
@beside_form(_page)
async def add_user(request: Request) -> Response:
    """Make a user; the first password is on this page, and on no later one."""
    fields = await read_form(request)
    role = one(fields, "role") or None
    asked = checked(admin.NewUser, name=one(fields, "name"), role=role)
    made = await admin.add_user(asked, request)
    return await in_thread(request, _page, request, made=made)


@router.post("/{user_id}")
@door(ADMIN)
@beside_form(_page)
async def change_user(user_id: str, request: Request) -> Response:
    """Change a user's role or limits, or whether they may sign in."""
    fields = await read_form(request)
    await run_in_threadpool(admin.change_user, user_id, _changes(fields), request)
    return RedirectResponse("/users", 303)


@router.post("/{user_id}/reset")
@door(ADMIN)
async def reset_password(user_id: str, request: Request) -> Response:
    """Give a user a new first password; it is on this page only."""
    made = await admin.reset_password(user_id, request)
    return await in_thread(request, _page, request, made=made)


@router.post("/{user_id}/sessions/end")
@door(ADMIN)
def end_sessions(user_id: str, request: Request) -> Response:
    """Sign a user out everywhere."""
    admin.end_sessions(user_id, request)
    return RedirectResponse("/users", 303)


def _changes(fields: dict[str, list[str]]) -> admin.Changes:
    """What the button that was pressed stands for."""
    pressed = one(fields, "change")
    if pressed != "limits":
        return CHANGES.get(pressed) or admin.Changes()
    limits = {name: one(fields, name) or None for name in Limits.model_fields}
    return admin.Changes(limits=checked(Limits, **limits))
