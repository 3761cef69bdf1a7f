"""A team server on a free port of this machine, and clients that are signed in."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any

import httpx2
import uvicorn
from sqlalchemy import update

from aistrale_lab.lab.bench import Lab
from aistrale_lab.server import cookies
from aistrale_lab.server.app import make_app
from aistrale_lab.server.caller import SCOPES
from aistrale_lab.server.passwords import Passwords
from aistrale_lab.settings import ServerSettings
from aistrale_lab.store.accounts import Role, UserRecord
from aistrale_lab.store.reading import EXPERIMENTS

LOOP = "team-server"
"""The name of the thread in which the server's event loop runs."""

PASSWORD = "correct horse battery staple"


class TeamServer:
    """`make_app` under uvicorn in a thread of this process, over real sockets.

    Settings are keywords; the bench is its caller's.
    """

    def __init__(self, bench: Lab, **settings: Any) -> None:
        self.bench = bench
        self.app = make_app(bench, ServerSettings(**settings))
        config = uvicorn.Config(
            self.app, port=0, log_level="error", proxy_headers=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name=LOOP, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def __enter__(self) -> "TeamServer":
        self._thread.start()
        started = threading.Event()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            started.wait(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    def add_user(self, name: str, role: Role = "user") -> UserRecord:
        """A user whose password is PASSWORD."""
        user: UserRecord = self.app.state.accounts.add(name, _hashed(), role=role)
        return user

    def sign_in(
        self, client: httpx2.Client, name: str, password: str = PASSWORD, **headers: str
    ) -> httpx2.Response:
        """What the server answers to a name and a password."""
        return client.post(
            "/api/v1/auth/login",
            json={"name": name, "password": password},
            headers=headers,
        )

    @contextmanager
    def visitor(self, **headers: str) -> Iterator[httpx2.Client]:
        """A client who is not signed in."""
        with httpx2.Client(base_url=self.url, headers=headers, timeout=100) as client:
            yield client

    @contextmanager
    def browser(self, user: UserRecord, **headers: str) -> Iterator[httpx2.Client]:
        """A client with a session of a user, who sends what our own pages send."""
        secret, _ = self.app.state.sessions.add(user.id, address="::1", agent="test")
        own = {
            "cookie": f"{cookies.NAME}={secret}",
            "origin": self.url,
            "x-aistrale": "1",
        }
        with self.visitor(**own, **headers) as client:
            yield client

    @contextmanager
    def reader(self, user: UserRecord) -> Iterator[httpx2.Client]:
        """A session of a user in a browser that shows pages and follows no redirect."""
        with self.browser(user, accept="text/html") as client:
            yield client

    def give(self, experiment_id: str, user: UserRecord | None, **columns: str) -> None:
        """Make an experiment a user's, or nobody's."""
        owner = user.id if user else None
        where = EXPERIMENTS.c.id == experiment_id
        changed = update(EXPERIMENTS).where(where).values(owner=owner, **columns)
        self.bench.store.recorder.call(lambda c: c.execute(changed)).result()

    @contextmanager
    def bearer(
        self, user: UserRecord, scopes: frozenset[str] = frozenset(SCOPES)
    ) -> Iterator[httpx2.Client]:
        """A client with a token of a user."""
        secret, _ = self.app.state.tokens.add(user.id, "test", scopes=scopes)
        with self.visitor(authorization=f"Bearer {secret}") as client:
            yield client


@cache
def _hashed() -> str:
    return Passwords().hash_now(PASSWORD)


@contextmanager
def serving(
    store_url: str, *words: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`aistrale serve` as a program over a store, and its URL."""
    command = [sys.executable, "-m", "aistrale_lab", "serve", "--port", "0"]
    program = subprocess.Popen(
        [*command, "--store", store_url, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    with program:
        assert program.stdout is not None
        try:
            yield program, program.stdout.readline().strip()
        finally:
            program.kill()
