"""What the routes that ask models share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from aistrale_lab.errors import StoreError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.server.allowed import providers_of
from aistrale_lab.server.calling import Calling
from aistrale_lab.server.catalogue import Catalogue
from aistrale_lab.server.limits import Limits
from aistrale_lab.server.money import Money
from aistrale_lab.settings import ServerSettings
from aistrale_lab.store.calls import Calls


def share(app: FastAPI, bench: Lab, settings: ServerSettings) -> None:
    """Put into `app.state` what it takes to ask models."""
    calls = Calls(bench.store)
    limits = Limits(settings, bench.store.recorder, Money(bench, calls))
    app.state.providers = providers_of(bench.settings)
    app.state.calls = calls
    app.state.limits = limits
    app.state.calling = Calling(bench.asking, calls, limits)
    app.state.catalogue = Catalogue(bench, app.state.providers)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Take in first the calls that an earlier process could not store."""
    calls: Calls = app.state.calls
    with suppress(StoreError):  # it is tried again after the next call
        await run_in_threadpool(calls.take_in)
    yield
    calls.close()
