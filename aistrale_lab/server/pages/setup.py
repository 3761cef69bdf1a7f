"""The pages as a part of the application."""

import anyio
from fastapi import FastAPI
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from aistrale_lab.server.pages.kept import AT_ONCE, Kept
from aistrale_lab.server.routes import (
    account_page,
    compare_page,
    experiment_forms,
    experiment_pages,
    result_pages,
    sign_in_page,
    users_page,
)

ROUTERS = (
    sign_in_page.router,
    experiment_pages.router,
    experiment_forms.router,
    result_pages.router,
    compare_page.router,
    account_page.router,
    users_page.router,
)


ASSETS: list[str | tuple[str, str]] = [
    ("aistrale_lab.report", "static"),
    ("aistrale_lab.server", "static"),
]
"""Packages and their folders, which are served as one."""


class Assets(StaticFiles):
    """Files that a browser may keep, if it asks each time whether they are the same."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, with its fingerprint."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


def add_pages(app: FastAPI) -> None:
    """Serve the pages, and the style sheets and scripts that they load."""
    app.state.page_limiter = anyio.CapacityLimiter(AT_ONCE)
    app.state.kept = Kept()
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", Assets(packages=ASSETS))
