"""The application: routes behind doors, over one bench."""

from datetime import timedelta

from fastapi import FastAPI
from starlette.routing import compile_path
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from aistrale_lab.errors import ConfigError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.lab.turns import Turns
from aistrale_lab.server import errors, inference
from aistrale_lab.server.doors import routes_of
from aistrale_lab.server.guard import Guard
from aistrale_lab.server.headers import Border
from aistrale_lab.server.heads import Heads
from aistrale_lab.server.metrics import Measured, Metrics
from aistrale_lab.server.pages.setup import add_pages
from aistrale_lab.server.passwords import Passwords
from aistrale_lab.server.routes import (
    about,
    admin,
    auth,
    comparisons,
    datasets,
    events,
    exchange,
    experiments,
    health,
    openai_api,
    plans,
    runs,
    tokens,
)
from aistrale_lab.server.routes import inference as inference_routes
from aistrale_lab.settings import ServerSettings
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.sessions import Sessions
from aistrale_lab.store.sign_ins import SignIns
from aistrale_lab.store.tokens import Tokens

TITLE = "AISTRALE Lab"
ROUTERS = (
    *(inference_routes.router, openai_api.router),
    *(health.router, about.router, auth.router, tokens.router, admin.router),
    *(experiments.router, events.router, runs.router, comparisons.router),
    *(datasets.router, exchange.router, plans.router),
)
"""Looked through in this order: first what is asked most often."""

SHORTEST_SECRET = 20
WELL_KNOWN = ("changeme", "password", "secret", "metrics", "token", "example")


def make_app(bench: Lab, settings: ServerSettings | None = None) -> FastAPI:
    """The server's application over a bench, which its caller closes.

    `app.state` holds the bench, the settings, and what the routes share. Raises
    ConfigError if a route has no door, or a configured secret can be guessed.
    """
    settings = settings or bench.settings.server
    app = FastAPI(
        title=TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=inference.lifespan,
    )
    errors.add_handlers(app)
    _share(app, bench, settings)
    app.add_middleware(Heads)
    app.add_middleware(Border)
    if bench.telemetry is not None:
        # only now: it needs an extra of its own
        from aistrale_lab.server.tracing import Traced

        app.add_middleware(Traced, telemetry=bench.telemetry)
    app.add_middleware(Measured, metrics=app.state.metrics)
    if settings.trusted_proxies:
        proxies = list(settings.trusted_proxies)
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    for router in ROUTERS:
        app.include_router(router)
    add_pages(app)
    app.state.methods = [
        (compile_path(path)[0], method) for method, path, _ in routes_of(app)
    ]
    return app


def check_secret(name: str, secret: str) -> None:
    """Raise ConfigError for a secret that is short, or that others have had before."""
    plain = secret.lower()
    for known in WELL_KNOWN:
        plain = plain.replace(known, "")
    if len(secret) < SHORTEST_SECRET or len(set(plain)) < SHORTEST_SECRET // 2:
        raise ConfigError(
            f"{name} can be guessed: it takes {SHORTEST_SECRET} characters at random, "
            "such as those of `openssl rand -hex 32`"
        )


def _share(app: FastAPI, bench: Lab, settings: ServerSettings) -> None:
    token = settings.metrics_token
    secret = token.get_secret_value() if token else None
    if secret is not None:
        check_secret("AISTRALE_METRICS_TOKEN", secret)
    state = app.state
    state.bench = bench
    state.settings = settings
    state.metrics = Metrics()
    state.turns = Turns()
    state.passwords = Passwords()
    inference.share(app, bench, settings)
    state.accounts = Accounts(bench.store)
    state.sign_ins = SignIns(bench.store)
    state.tokens = Tokens(bench.store)
    state.sessions = Sessions(
        bench.store,
        idle=timedelta(hours=settings.session_idle_hours),
        longest=timedelta(days=settings.session_days),
    )
    state.guard = Guard(
        state.sessions,
        state.tokens,
        max_body=settings.max_body_bytes,
        public_url=settings.public_url,
        metrics_token=secret,
    )
