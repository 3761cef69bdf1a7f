"""Errors as pages: for browsers, which ask for one."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from aistrale_lab.server.pages.render import page

TITLES = {
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is no such page",
    409: "That cannot be",
    413: "That is too large",
    422: "That is not valid",
    429: "Too many requests",
    503: "The store is away",
}

API = ("/api/", "/v1/")
"""Below these nobody reads pages."""


def wants_page(request: Request) -> bool:
    """Whether the answer is read by a person in a browser."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith(API)


def error_page(
    request: Request, fault: Mapping[str, Any], headers: Mapping[str, str]
) -> Response:
    """The page of an error; who is not signed in is led to where one does that."""
    status = int(fault["status_code"])
    if status == 401:
        return RedirectResponse(_sign_in(request), 303)
    return page(
        request,
        "error.html.jinja",
        status=status,
        headers={k: v for k, v in headers.items() if k != "www-authenticate"},
        title=TITLES.get(status, "Something went wrong"),
        fault=fault,
    )


def _sign_in(request: Request) -> str:
    """The sign-in page, which leads back to a page that was asked for."""
    if request.method != "GET":
        return "/sign-in"
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(asked, safe='')}"
