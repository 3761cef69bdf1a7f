"""A team server over the bench of a test, with two users and an admin."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from servers.team import LOOP, TeamServer
from sqlalchemy import Engine, event

import aistrale_lab as lab
from aistrale_lab.store.accounts import UserRecord

PRICED = """
[prices."openai/large"]
input_mtok = 0
output_mtok = 10000
"""


@pytest.fixture
def priced(environment: None, tmp_path: Path) -> None:
    """A token that `openai/large` says costs a cent."""
    (tmp_path / "aistrale.toml").write_text(PRICED)


@pytest.fixture(autouse=True)
def loop_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail each request that waits for the store in the thread of the event loop."""
    result = Future.result

    def checked(future: "Future[Any]", timeout: float | None = None) -> Any:
        assert future.done() or not in_loop(), "the event loop waits for a thread"
        return result(future, timeout)

    def look(*_: Any) -> None:
        assert not in_loop(), "the event loop waits for the database"

    monkeypatch.setattr(Future, "result", checked)
    event.listen(Engine, "before_cursor_execute", look)
    yield
    event.remove(Engine, "before_cursor_execute", look)


def in_loop() -> bool:
    return threading.current_thread().name == LOOP


@pytest.fixture
def team(bench: lab.Lab) -> Iterator[TeamServer]:
    with TeamServer(bench) as server:
        yield server


@pytest.fixture
def ann(team: TeamServer) -> UserRecord:
    return team.add_user("ann")


@pytest.fixture
def bob(team: TeamServer) -> UserRecord:
    return team.add_user("bob")


@pytest.fixture
def root(team: TeamServer) -> UserRecord:
    return team.add_user("root", "admin")
