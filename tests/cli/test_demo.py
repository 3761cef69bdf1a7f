"""`aistrale demo`, run once: what it shows, and what the README shows of it."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from servers.shell import Shell

from aistrale_lab.cli import demo
from aistrale_lab.cli.shipped import shipped
from aistrale_lab.engine.datasets import load_dataset

pytestmark = pytest.mark.xdist_group("demo")

README = (Path(__file__).parents[2] / "README.md").read_text()
SHOWN = re.findall(r"```\n(.*?)```", README, re.DOTALL)[1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    home = tmp_path_factory.mktemp("demo")
    return Shell(home, {"PATH": os.environ["PATH"], "HOME": str(home)})


@pytest.fixture(scope="module")
def ended(shown: Shell) -> "subprocess.CompletedProcess[str]":
    return shown.run("demo")


def test_it_compares_models_offline(
    shown: Shell, ended: "subprocess.CompletedProcess[str]"
) -> None:
    assert ended.returncode == 0, ended.stderr
    assert all(model in ended.stdout for model in demo.MODELS)
    assert "TTFT" in ended.stdout
    assert "embedded/small scores higher than embedded/mini on exact: +" in ended.stdout
    told = "95 % intervals by: exact Student's t, clustered by group"
    assert told in ended.stderr
    assert "next: aistrale" in ended.stderr
    assert (shown.folder / "aistrale.db").exists()


def test_it_prints_the_table_of_the_readme(
    ended: "subprocess.CompletedProcess[str]",
) -> None:
    *expected, _speed = SHOWN.splitlines()
    *printed, speed = ended.stdout.splitlines()
    assert [line.split()[:4] for line in printed] == [
        line.split()[:4] for line in expected
    ]
    assert "sooner" in speed or "told apart" in speed  # on a busy machine


def test_it_asks_as_much_of_every_skill() -> None:
    questions = load_dataset(
        shipped("datasets") / demo.PROMPT_SET, limit=demo.QUESTIONS
    )

    asked = Counter(sample.group for sample in questions)
    assert set(asked.values()) == {demo.QUESTIONS // len(asked)}
    assert len(asked) == 13
