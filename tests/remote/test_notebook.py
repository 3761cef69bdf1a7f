"""A notebook and the command line against `aistrale serve`, unchanged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.team import serving

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.store.accounts import Accounts
from aistrale_lab.store.results import Store
from aistrale_lab.store.tokens import Tokens

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"


@pytest.fixture
def user(store_url: str) -> Iterator[tuple[str, str]]:
    """The id of a user of the store, and a token of theirs."""
    store = Store.open(store_url)
    user = Accounts(store).add("ann", "no hash", role="user")
    secret, _ = Tokens(store).add(user.id, "notebook", scopes=["read", "write"])
    yield user.id, secret
    store.close()


@pytest.fixture
def environ(tmp_path: Path, user: tuple[str, str]) -> dict[str, str]:
    """A machine that knows no provider, no store, and a token."""
    kept = ("OPENAI", "HF_", "AISTRALE")
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(kept)},
        "AISTRALE_TOKEN": user[1],
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
        "PYTHONWARNINGS": "ignore",
    }


@pytest.mark.timeout(300)
def test_the_quickstart_runs_on_the_teams_server_unchanged(
    tmp_path: Path, store_url: str, user: tuple[str, str], environ: dict[str, str]
) -> None:
    output = tmp_path / "output.ipynb"
    words = [sys.executable, "-m", "papermill", str(QUICKSTART), str(output)]
    words += ["--cwd", str(QUICKSTART.parent), "--no-progress-bar", "-p", "limit", "20"]
    with serving(store_url) as (_, url):
        ended = subprocess.run(
            words,
            env={**environ, "AISTRALE_STORE": url},
            capture_output=True,
            text=True,
            timeout=280,
        )

    store = Store.open(store_url)
    runs = store.list_runs()
    owner = store.get_experiment(runs[0].experiment_id).owner
    store.close()
    assert ended.returncode == 0, ended.stderr
    assert [run.status for run in runs] == [RunStatus.COMPLETED] * 3
    assert [run.completed for run in runs] == [20] * 3
    assert owner == user[0]
    assert outputs_of(output) >= {"text/html", "text/plain"}


def outputs_of(notebook: Path) -> set[str]:
    """The kinds of what a notebook's cells show."""
    cells = json.loads(notebook.read_text())["cells"]
    shown = [one for cell in cells for one in cell.get("outputs", [])]
    return {kind for one in shown for kind in one.get("data", {})}


@pytest.mark.timeout(120)
def test_push_and_pull_speak_to_the_server(
    tmp_path: Path, store_url: str, user: tuple[str, str], environ: dict[str, str]
) -> None:
    questions = tmp_path / "sums.jsonl"
    questions.write_text('{"input": "1 + 1", "target": "2"}\n' * 3)

    def aistrale(*words: str) -> Any:
        ended = subprocess.run(
            [sys.executable, "-m", "aistrale_lab", *words, "--json"],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    aistrale("run", questions.name, "-m", "embedded/echo", "--scorer", "exact")
    with serving(store_url) as (_, url):
        first, second = (aistrale("push", "--to", url) for _ in range(2))
        pulled = aistrale("pull", "--from", url, "--store", "sqlite:///other.db")

    assert (first["inserted"], second["inserted"]) == (9, 0)
    assert (pulled["inserted"], pulled["from"]) == (9, url)


def test_a_server_is_not_served_again(
    tmp_path: Path, store_url: str, user: tuple[str, str], environ: dict[str, str]
) -> None:
    with serving(store_url) as (_, url):
        ended = subprocess.run(
            [sys.executable, "-m", "aistrale_lab", "serve", "--store", url],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert ended.returncode == 2
    assert "a server over a server" in ended.stderr
