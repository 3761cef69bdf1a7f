"""A notebook and the command line against `aistrale serve`, unchanged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.team import serving

from aistrale_lab.cli import answer
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.results import Store
from aistrale_lab.store.tokens import Tokens

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("a team's server")]

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@dataclass(frozen=True)
class Served:
    """A team's server, and the store that it serves."""

    url: str
    store: Store


@dataclass(frozen=True)
class User:
    """Who asks the server, by what token."""

    id: str
    token: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('served')}/store.db")
    with serving(store.url) as (_, url):
        yield Served(url, store)
    store.close()


@pytest.fixture
def user(served: Served, request: pytest.FixtureRequest) -> User:
    """A new user of the store."""
    name = request.node.name.replace("_", "-")[:30]
    record = Accounts(served.store).add(name, "no hash", role="user")
    scopes = ["read", "write"]
    secret, _ = Tokens(served.store).add(record.id, "notebook", scopes=scopes)
    return User(record.id, secret)


@pytest.fixture
def elsewhere(user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that knows no provider, no store, and a token."""
    for name in list(os.environ):
        if name.startswith(("OPENAI", "HF_", "AISTRALE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AISTRALE_TOKEN", user.token)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.chdir(tmp_path)


def test_the_quickstart_runs_on_the_teams_server_unchanged(
    elsewhere: None, served: Served, user: User, tmp_path: Path
) -> None:
    output = tmp_path / "output.ipynb"
    words = [sys.executable, "-m", "papermill", str(QUICKSTART), str(output)]
    words += ["--cwd", str(QUICKSTART.parent), "--no-progress-bar", "-p", "limit", "20"]
    ended = subprocess.run(
        words,
        env={**os.environ, "AISTRALE_STORE": served.url},
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert ended.returncode == 0, ended.stderr
    runs = [
        run
        for run in served.store.list_runs()
        if served.store.get_experiment(run.experiment_id).owner == user.id
    ]
    assert [run.status for run in runs] == [RunStatus.COMPLETED] * 3
    assert [run.completed for run in runs] == [20] * 3
    assert outputs_of(output) >= {"text/html", "text/plain"}


def outputs_of(notebook: Path) -> set[str]:
    """The kinds of what a notebook's cells show."""
    cells = json.loads(notebook.read_text())["cells"]
    shown = [one for cell in cells for one in cell.get("outputs", [])]
    return {kind for one in shown for kind in one.get("data", {})}


def test_push_and_pull_speak_to_the_server(
    elsewhere: None, served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = tmp_path / "sums.jsonl"
    questions.write_text('{"input": "1 + 1", "target": "2"}\n' * 3)

    def aistrale(*words: str) -> Any:
        code = answer([*words, "--json"])
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out)

    aistrale("run", questions.name, "-m", "embedded/echo", "--scorer", "exact")
    first, second = (aistrale("push", "--to", served.url) for _ in range(2))
    pulled = aistrale("pull", "--from", served.url, "--store", "sqlite:///other.db")

    assert (first["inserted"], second["inserted"]) == (9, 0)
    assert (pulled["inserted"], pulled["from"]) == (9, served.url)


def test_what_needs_the_database_is_refused_over_a_server(
    elsewhere: None, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["doctor", "--store", served.url]) == 0
    for command in ("serve", "user list", "user add eve --admin"):
        code = answer([*command.split(), "--store", served.url])

        assert code == 2
        assert "needs the database itself" in capsys.readouterr().err
