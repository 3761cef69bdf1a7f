"""The README is true: its table, its commands and its code."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from aistrale_lab.cli import answer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = (ROOT / "pyproject.toml").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for _, block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("aistrale ")
]
FILES = {
    re.sub(r"^# ", "", block.split("\n")[0]): block
    for language, block in BLOCKS
    if language == "yaml"
}
GROUPS = ("db", "selftest", "user")
CRON = re.search(r"^([\d*]+(?: [\d*]+){4})  (.+)$", README, re.MULTILINE)
PYTHON = [block for language, block in BLOCKS if language == "python"]


def test_the_readme_leads_with_the_two_commands() -> None:
    assert BLOCKS[0][1] == "make demo\nmake test\n"


def test_the_first_command_of_the_readme_works_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AISTRALE_STORE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.chdir(ROOT)
    code = answer(COMMANDS[0].split()[1:])

    told = capsys.readouterr()
    assert code == 0, told.err
    assert "embedded/calculator" in told.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    options = {word for word in words if word.startswith("--")}

    named = words[1:3] if words[1] in GROUPS else words[1:2]
    code = answer([*named, "--help"])

    assert code == 0
    assert options <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@pytest.mark.timeout(100)
def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    code = "\n".join(PYTHON)
    compile(code, "README", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    body = "\n".join(f"    {line}" for line in code.splitlines())
    script = f"import asyncio\nasync def cells():\n{body}\n    bench.close()\n"

    ended = subprocess.run(
        [sys.executable, "-c", script + "asyncio.run(cells())"],
        env={**os.environ, "AISTRALE_STORE": f"sqlite:///{tmp_path}/store.db"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert ended.returncode == 0, ended.stderr


def workflow() -> dict[Any, Any]:
    found = yaml.safe_load(FILES[".github/workflows/nightly.yml"])
    assert isinstance(found, dict)
    return found


def test_the_workflow_is_one_and_publishes_what_the_batch_left() -> None:
    found = workflow()
    steps = found["jobs"]["batch"]["steps"]

    assert set(found[True]) == {"schedule", "workflow_dispatch"}  # YAML reads on: so
    assert found["jobs"]["batch"]["runs-on"] == "ubuntu-latest"
    assert all(set(step) & {"uses", "run"} for step in steps)
    assert {**found["permissions"]}["pages"] == "write"
    assert [step.get("with", {}).get("path") for step in steps][-2] == "site"
    assert "notebook" in tomllib.loads(PROJECT)["project"]["optional-dependencies"]


def test_the_line_for_cron_is_one() -> None:
    assert CRON is not None
    fields, command = CRON.groups()
    words = shlex.split(command)

    assert fields == workflow()[True]["schedule"][0]["cron"]
    assert words[3] == ".venv/bin/aistrale" and words[5] == "batch.yaml"


@pytest.mark.timeout(280)
def test_the_workflows_command_leaves_a_site(tmp_path: Path) -> None:
    for folder in ("notebooks", "datasets"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "batch.yaml").write_text(FILES["batch.yaml"])
    commands = [step.get("run", "") for step in workflow()["jobs"]["batch"]["steps"]]
    (words,) = [shlex.split(one) for one in commands if one.startswith("aistrale ")]

    ended = subprocess.run(
        [sys.executable, "-m", "aistrale_lab", *words[1:]],
        env={**os.environ, "AISTRALE_STORE": "sqlite:///store.db"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=270,
    )

    assert ended.returncode == 0, ended.stderr
    site = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("site/**/*")
    }
    points = ("small_temperature-0", "small_temperature-0.7", "mini_temperature-0")
    assert {f"site/embedded-{point}.ipynb" for point in points} <= site
    assert {f"site/pages/embedded-{point}.html" for point in points} <= site
    assert len([path for path in site if path.startswith("site/reports/")]) == 1
    assert "site/index.html" in site
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("6", "0")
