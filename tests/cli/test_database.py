"""`aistrale db upgrade`: from no schema to the newest, and never back."""

import json
import sqlite3
from pathlib import Path

import pytest

from aistrale_lab.cli import answer
from aistrale_lab.cli.exits import Exit
from aistrale_lab.store.migrations import HEAD


def test_a_store_is_brought_to_the_newest_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"

    assert answer(["db", "upgrade", "--store", url, "--json"]) == Exit.DONE
    first = json.loads(capsys.readouterr().out)
    assert answer(["db", "upgrade", "--store", url]) == Exit.DONE

    assert first == {"store": url, "before": None, "after": HEAD}
    assert f"has schema {HEAD}, the newest" in capsys.readouterr().out


def test_a_newer_schema_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "store.db"
    answer(["db", "upgrade", "--store", f"sqlite:///{path}"])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    ended = answer(["db", "upgrade", "--store", f"sqlite:///{path}"])

    assert ended == Exit.BROKEN
    assert "newer version of aistrale-lab" in capsys.readouterr().err


def test_an_empty_url_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["db", "upgrade", "--store", " "]) == Exit.USAGE
    assert "--store is empty" in capsys.readouterr().err
