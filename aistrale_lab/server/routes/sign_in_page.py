"""The page that asks who one is, and the way out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from aistrale_lab.errors import AccessError, NotSignedInError, ValidationError
from aistrale_lab.server import cookies
from aistrale_lab.server.doors import OPEN, SESSION, GuardedRoute, door
from aistrale_lab.server.errors import headers_of, status_of
from aistrale_lab.server.pages.forms import checked, one, read_form
from aistrale_lab.server.pages.links import own_path
from aistrale_lab.server.pages.render import page
from aistrale_lab.server.routes.auth import Credentials, logout
from aistrale_lab.server.signing import sign_in

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

Path = Annotated[str, Query(max_length=4_000)]


@router.get("/sign-in")
@door(OPEN)
async def show(request: Request, next: Path = "") -> Response:
    """Ask for a name and a password."""
    return page(request, "sign_in.html.jinja", name="", next=own_path(next), problem="")


@router.post("/sign-in")
@door(OPEN)
async def enter(request: Request) -> Response:
    """Sign in, and go where one wanted to; else ask again, and say why."""
    fields = await read_form(request)
    name, path = one(fields, "name"), own_path(one(fields, "next"))
    try:
        asked = checked(Credentials, name=name, password=one(fields, "password"))
        signed_in = await sign_in(request, asked.name, asked.password)
    except (NotSignedInError, AccessError, ValidationError) as error:
        return page(
            request,
            "sign_in.html.jinja",
            status=status_of(error),
            headers=headers_of(error),
            name=name[:200],
            next=path,
            problem=f"{error.message[:1].upper()}{error.message[1:]}.",
        )
    answer = RedirectResponse(path, 303)
    cookies.set_cookie(answer, signed_in.secret, signed_in.expires_at)
    return answer


@router.post("/sign-out")
@door(SESSION)
def leave(request: Request) -> Response:
    """End the session, and ask who comes next."""
    answer = RedirectResponse("/sign-in", 303)
    logout(request, answer)
    return answer
