"""The README is true: its table, its commands and its code."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for _, block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("aistrale ")
]
PYTHON = [block for language, block in BLOCKS if language == "python"]


def run(*words: str, store: Path) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI", "HF_"))}
    return subprocess.run(
        [sys.executable, "-m", "aistrale_lab", *words],
        env={**kept, "AISTRALE_STORE": f"sqlite:///{store}/store.db"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_readme_leads_with_the_two_commands() -> None:
    assert BLOCKS[0][1] == "make demo\nmake test\n"


def test_the_demo_prints_the_table_of_the_readme(tmp_path: Path) -> None:
    ended = run("demo", store=tmp_path)

    *shown, _speed = BLOCKS[1][1].splitlines()
    *printed, speed = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[:4] for line in printed] == [
        line.split()[:4] for line in shown
    ]
    assert "sooner" in speed or "told apart" in speed  # on a busy machine


def test_the_first_command_of_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    ended = run(*COMMANDS[0].split()[1:], store=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "embedded/calculator" in ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(command: str, tmp_path: Path) -> None:
    words = command.split()
    options = {word for word in words if word.startswith("--")}

    ended = run(words[1], "--help", store=tmp_path)

    assert ended.returncode == 0
    assert options <= set(re.findall(r"--[a-z-]+", ended.stdout))


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
