"""The one cookie. Its prefix makes browsers refuse it from another host, or in clear."""

from datetime import datetime

from fastapi import Request, Response

NAME = "__Host-aistrale"


def secret_in(request: Request) -> str | None:
    """What the browser's cookie holds, if there is one."""
    return request.cookies.get(NAME)


def set_cookie(response: Response, secret: str, expires_at: datetime) -> None:
    """Give the browser the secret of its session."""
    response.set_cookie(
        NAME,
        secret,
        expires=expires_at,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response) -> None:
    """Take the secret from the browser."""
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="lax")
