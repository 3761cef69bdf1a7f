"""`python tests/notebooks/execute.py [NOTEBOOK ...]`: execute the notebooks that are committed.

They run from an empty store. What belongs to this one execution is taken out: the
state of widgets (their static twins stay), and when each cell ran.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from aistrale_lab.batch.output import make_static

NOTEBOOKS = (Path(__file__).parents[2] / "notebooks").glob("*.ipynb")
LANGUAGE = {"name": "python"}


def execute(path: Path) -> None:
    """Execute a notebook in its folder, and write it clean."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AISTRALE_STORE"] = f"sqlite:///{folder}/store.db"
        resources = {"metadata": {"path": str(path.absolute().parent)}}
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    make_static(notebook)
    notebook.metadata["language_info"] = LANGUAGE
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for found in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(NOTEBOOKS):
        execute(found)
        print(f"executed {found.name}")
