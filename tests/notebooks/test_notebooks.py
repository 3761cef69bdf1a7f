"""Notebooks tell a story: short, executed, and the same for whoever runs them."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_CELLS = 10
MOST_LINES = 15
LARGEST_OUTPUT = 200_000
MACHINE = re.compile(r"/(home|root|Users|work|tmp)/|[A-Z]:\\\\Users")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def cells_of(path: Path, kind: str) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@every_notebook
def test_a_notebook_is_short_and_defines_nothing(path: Path) -> None:
    code = [source(cell) for cell in cells_of(path, "code")]

    assert len(json.loads(path.read_text())["cells"]) <= MOST_CELLS
    assert all(text.count("\n") < MOST_LINES for text in code)
    assert not [
        node
        for text in code
        for node in ast.walk(compile_cell(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
    ]


def compile_cell(text: str) -> ast.AST:
    return compile(
        text, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )


@every_notebook
def test_a_notebook_has_one_typed_and_commented_parameters_cell(path: Path) -> None:
    tagged = [
        cell
        for cell in cells_of(path, "code")
        if "parameters" in cell["metadata"].get("tags", [])
    ]

    assert len(tagged) == 1
    for line in source(tagged[0]).splitlines():
        assert re.fullmatch(r"\w+: \w+ = .+  # .+", line), line


@every_notebook
def test_a_notebook_is_committed_executed_and_clean(path: Path) -> None:
    text = path.read_text()
    code = cells_of(path, "code")

    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    assert max(len(json.dumps(cell["outputs"])) for cell in code) < LARGEST_OUTPUT
    assert not [
        o for cell in code for o in cell["outputs"] if o["output_type"] == "error"
    ]
    assert not MACHINE.search(text), "a path of somebody's machine"
    assert "widgets" not in json.loads(text)["metadata"]


@pytest.mark.timeout(180)
@every_notebook
def test_a_notebook_runs_under_papermill_from_an_empty_store(
    path: Path, tmp_path: Path
) -> None:
    """With few samples: that it runs with all of them is told below."""
    output = tmp_path / "output.ipynb"
    words = [sys.executable, "-m", "papermill", str(path), str(output)]
    words += ["--cwd", str(path.parent), "--no-progress-bar", "-p", "limit", "26"]

    ended = subprocess.run(
        words, env=environment(tmp_path), capture_output=True, text=True, timeout=170
    )

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "store.db").exists()
    kinds = {
        kind
        for cell in cells_of(output, "code")
        for shown in cell["outputs"]
        for kind in shown.get("data", {})
    }
    assert {"text/html", "text/plain", "image/png"} <= kinds


@pytest.mark.timeout(180)
def test_the_notebooks_outputs_are_what_they_show(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    words += ["--nbval-sanitize-with", str(Path(__file__).with_name("sanitize.cfg"))]
    words += ["-p", "no:cacheprovider", "-W", "default", *map(str, NOTEBOOKS)]

    ended = subprocess.run(
        words, env=environment(tmp_path), capture_output=True, text=True, timeout=170
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


def environment(tmp_path: Path) -> dict[str, str]:
    """The caller's environment with an empty store and no key."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI", "HF_"))}
    return {
        **kept,
        "AISTRALE_STORE": f"sqlite:///{tmp_path}/store.db",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),
        "PYTHONWARNINGS": "ignore",
    }
