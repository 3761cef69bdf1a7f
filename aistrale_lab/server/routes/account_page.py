"""Oneself: the password, where one is signed in, and one's personal tokens."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import LabError, ValidationError
from aistrale_lab.server.caller import SCOPES, caller_of
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.pages.forms import checked, one, read_form
from aistrale_lab.server.pages.kept import in_thread
from aistrale_lab.server.pages.refusals import beside_form, told_of
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.routes import auth, tokens

router = APIRouter(prefix="/account", route_class=GuardedRoute, include_in_schema=False)

MEANS = {
    "read": "see experiments and results",
    "write": "start, stop and push experiments",
    "inference": "ask the team's models",
}
"""What a scope is good for."""


def _page(
    request: Request,
    *,
    error: LabError | None = None,
    said: str = "",
    secret: str = "",
) -> Response:
    return page(
        request,
        "account.html.jinja",
        **told_of(error),
        said=said,
        secret=secret,
        scopes=[(scope, MEANS[scope]) for scope in MEANS if scope in SCOPES],
        sessions=auth.list_sessions(request).items,
        tokens=tokens.list_tokens(request).items,
        name=caller_of(request).name,
    )


@router.get("")
@door(SESSION)
async def account(request: Request) -> Response:
    """All of it on one page."""
    return await in_thread(request, _page, request)


@router.post("/password")
@door(SESSION)
@beside_form(_page)
async def change_password(request: Request) -> Response:
    """Change one's own password; all other sessions end."""
    fields = await read_form(request)
    new, again = one(fields, "new"), one(fields, "again")
    if new != again:
        raise ValidationError("the new password was not typed the same twice")
    asked = checked(auth.NewPassword, current=one(fields, "current"), new=new)
    await auth.change_password(asked, request)
    said = "The password is changed; you are signed out everywhere else."
    return await in_thread(request, _page, request, said=said)


@router.post("/tokens")
@door(SESSION)
@beside_form(_page)
async def make_token(request: Request) -> Response:
    """Make a token; its secret is on this page, and on no later one."""
    fields = await read_form(request)
    asked = checked(
        tokens.NewToken,
        name=one(fields, "name"),
        scopes=fields.get("scope", []),
        days=one(fields, "days") or None,
    )
    made = await run_in_threadpool(tokens.make_token, asked, request)
    return await in_thread(request, _page, request, secret=made.secret)


@router.post("/tokens/{token_id}/revoke")
@door(SESSION)
def revoke_token(token_id: str, request: Request) -> Response:
    """Revoke one of one's tokens."""
    tokens.revoke_token(token_id, request)
    return RedirectResponse("/account#tokens", 303)


@router.post("/sessions/{session_id}/end")
@door(SESSION)
def end_session(session_id: str, request: Request) -> Response:
    """End one of one's sessions."""
    auth.end_session(session_id, request)
    return RedirectResponse("/account#sessions", 303)
