"""The true `aistrale batch` in a folder of its own, and the notebooks it executes."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from aistrale_lab.cli import answer

PARAMETERS = """\
model: str = "openai/large"  # whom to ask
temperature: float = 0.0  # how much chance there is
limit: int = 20  # how many samples
"""

ASK = """\
import aistrale_lab as lab
bench = lab.Lab.open()
task = lab.Task(
    dataset=lab.load_dataset("questions.jsonl", limit=limit),
    config=lab.GenerateConfig(temperature=temperature),
    scorers=["number"],
)
experiment = await bench.run(task, models=[model], concurrency=4)
print(experiment.id)
"""


def write_batch_notebook(path: Path, *cells: str, parameters: str = PARAMETERS) -> None:
    """A notebook with a parameters cell and these cells."""
    sources = [parameters, *cells]
    code = {"cell_type": "code", "execution_count": None, "outputs": []}
    tags: list[dict[str, Any]] = [{"tags": ["parameters"]}, *({} for _ in cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": [
            {**code, "id": f"c{n}", "metadata": tag, "source": source}
            for n, (tag, source) in enumerate(zip(tags, sources, strict=True))
        ],
    }
    path.write_text(json.dumps(notebook))


class BatchFolder:
    """A folder with a notebook, its data, a store, and a place for what comes out.

    Pages are only left for who asks for them: they take a while.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.notebook = folder / "work" / "asked.ipynb"
        self.out = folder / "out"
        self.store = folder / "store.db"
        self._environment = environment
        self.notebook.parent.mkdir()
        write_batch_notebook(self.notebook, ASK)

    def add_questions(self, questions: dict[str, str]) -> None:
        """The prompt set that stands beside the notebook."""
        lines = [json.dumps({"input": q, "target": a}) for q, a in questions.items()]
        (self.notebook.parent / "questions.jsonl").write_text("\n".join(lines))

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """`aistrale batch` on the notebook in a process of its own, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "aistrale_lab", *self.command(*words)],
            env=self._make_environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """`aistrale batch` on the notebook, to its end.

        The kernels are true processes; the command runs in this one, for its start
        takes longer than what it does.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self._make_environment(), clear=True),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = answer(self.command(*words))
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def command(self, *words: str) -> list[str]:
        pages = () if "--pages" in words else ("--no-pages",)
        return ["batch", str(self.notebook), "--out", str(self.out), *pages, *words]

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The notebooks that came out, by name; nothing else may end so."""
        found = sorted(self.out.glob("*.ipynb"))
        return {path.stem: json.loads(path.read_text()) for path in found}

    def leftovers(self) -> list[str]:
        """What is in the folder besides whole notebooks and pages."""
        files = [path for path in self.out.rglob("*") if path.is_file()]
        return [p.name for p in files if p.suffix not in (".ipynb", ".html")]

    def _make_environment(self) -> dict[str, str]:
        dropped = ("OPENAI", "HF_", "JUPYTER", "AISTRALE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        return {
            **kept,
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self.folder / "jupyter"),
            "AISTRALE_STORE": f"sqlite:///{self.store}",
            "PYTHONWARNINGS": "ignore",
            **self._environment,
        }


def text_of(cells: Sequence[dict[str, Any]]) -> str:
    """All that the cells of a notebook show, as one text."""
    return "\n".join(
        json.dumps(shown) for cell in cells for shown in cell.get("outputs", ())
    )
