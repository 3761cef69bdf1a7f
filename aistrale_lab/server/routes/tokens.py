"""Personal API tokens, made and revoked by whom they belong to."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from pydantic import Field

from aistrale_lab.errors import NotFoundError
from aistrale_lab.server.caller import Scope, caller_of
from aistrale_lab.server.doors import SESSION, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.shapes import Asked, Id, Page, Token

router = APIRouter(prefix="/api/v1/tokens", route_class=GuardedRoute, tags=["tokens"])


class NewToken(Asked):
    """A token to be made; without `days` it does not expire."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    days: int | None = Field(default=None, ge=1, le=3650)


class MadeToken(Token):
    """A new token. `secret` is not stored, and not told again."""

    secret: str


@router.post("", status_code=201)
@door(SESSION)
def make_token(asked: NewToken, request: Request) -> MadeToken:
    """Make a token; what proves it is in this answer, and in no later one."""
    days = timedelta(days=asked.days) if asked.days else None
    secret, token = request.app.state.tokens.add(
        caller_of(request).user_id,
        asked.name,
        scopes=set(asked.scopes),
        expires_at=datetime.now(UTC) + days if days else None,
    )
    return MadeToken(secret=secret, **Token.of(token).model_dump())


@router.get("")
@door(SESSION)
def list_tokens(request: Request) -> Page[Token]:
    """One's own tokens, newest first; revoked ones too."""
    found = request.app.state.tokens.of(caller_of(request).user_id)
    return Page(items=[Token.of(one) for one in found])


@router.delete("/{token_id}", status_code=204, responses=describe_errors(404))
@door(SESSION)
def revoke_token(token_id: Id, request: Request) -> None:
    """Revoke a token: its next use is refused."""
    if not request.app.state.tokens.revoke(caller_of(request).user_id, token_id):
        raise NotFoundError(f"there is no token {token_id!r} that could be revoked")
