"""The application: routes behind doors, over one bench."""

from datetime import timedelta

from fastapi import FastAPI

from aistrale_lab.lab.bench import Lab
from aistrale_lab.server import errors
from aistrale_lab.server.doors import routes_of
from aistrale_lab.server.guard import Guard
from aistrale_lab.server.headers import Border
from aistrale_lab.server.routes import health
from aistrale_lab.settings import ServerSettings
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.sessions import Sessions
from aistrale_lab.store.tokens import Tokens

TITLE = "AISTRALE Lab"


def make_app(bench: Lab, settings: ServerSettings | None = None) -> FastAPI:
    """The server's application over a bench, which its caller closes.

    `app.state` holds the bench, the settings, and what the routes share. Raises
    ConfigError if a route has no door.
    """
    settings = settings or bench.settings.server
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    errors.add_handlers(app)
    app.add_middleware(Border)
    _share(app, bench, settings)
    for module in (health,):
        app.include_router(module.router)
    list(routes_of(app))
    return app


def _share(app: FastAPI, bench: Lab, settings: ServerSettings) -> None:
    app.state.bench = bench
    app.state.settings = settings
    app.state.accounts = Accounts(bench.store)
    app.state.tokens = Tokens(bench.store)
    app.state.sessions = Sessions(
        bench.store,
        idle=timedelta(hours=settings.session_idle_hours),
        longest=timedelta(days=settings.session_days),
    )
    app.state.guard = Guard(
        app.state.sessions,
        app.state.tokens,
        max_body=settings.max_body_bytes,
        public_url=settings.public_url,
    )
