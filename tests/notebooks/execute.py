"""`python tests/notebooks/execute.py`: execute the notebooks that are committed.

They run from an empty store. What belongs to this one execution is taken out: the
state of widgets (their static twins stay), and when each cell ran.
"""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LIVE = "application/vnd.jupyter.widget-view+json"
LANGUAGE = {"name": "python"}


def execute(path: Path) -> None:
    """Execute a notebook in its folder, and write it clean."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AISTRALE_STORE"] = f"sqlite:///{folder}/store.db"
        resources = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = LANGUAGE
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(LIVE, None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for found in sorted(NOTEBOOKS.glob("*.ipynb")):
        execute(found)
        print(f"executed {found.name}")
