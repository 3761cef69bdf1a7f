"""A team server over the bench of a test, with two users and an admin."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.team import TeamServer

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
