"""Whether a request that changes something comes from a page of this server.

Browsers add cookies to requests that other sites make. They also say which site that
is, in headers that no script can set.
"""

from urllib.parse import urlsplit

from fastapi import Request

from aistrale_lab.errors import ForgedRequestError

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing here."""

OWN_HEADER = "x-aistrale"
"""Sent by our own scripts: another site cannot send it without being asked first."""

FORM = "application/x-www-form-urlencoded"


def check_own(request: Request, public_url: str | None) -> None:
    """Raise ForgedRequestError unless a page of ours made the request.

    For requests that a cookie signs in. They have to name our origin, and to carry
    `X-Aistrale: 1` or be a form's.
    """
    if request.method in SAFE:
        return
    if not _names_us(request, public_url):
        raise ForgedRequestError("the request does not come from this server's pages")
    if request.headers.get(OWN_HEADER) != "1" and not _is_form(request):
        raise ForgedRequestError("the header X-Aistrale: 1 is missing")


def check_not_foreign(request: Request, public_url: str | None) -> None:
    """Raise ForgedRequestError if another site made the request, as far as is said.

    For requests without a cookie, so that no other site signs a browser in.
    """
    if request.method in SAFE:
        return
    said = {"origin", "sec-fetch-site"} & set(request.headers.keys())
    if said and not _names_us(request, public_url):
        raise ForgedRequestError("the request does not come from this server's pages")


def _names_us(request: Request, public_url: str | None) -> bool:
    """Whether what the browser says of the origin is all true of us, and it says some."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site is not None
    return origin == own_origin(request, public_url)


def own_origin(request: Request, public_url: str | None) -> str:
    """Scheme, host and port by which browsers know this server."""
    parts = urlsplit(public_url or str(request.base_url))
    return f"{parts.scheme}://{parts.netloc}"


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip() == FORM
