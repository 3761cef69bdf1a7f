"""What is written of a notebook: small, static, without keys, whole or not at all."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from aistrale_lab.batch.output import LARGEST, make_static, write_notebook

nbformat = pytest.importorskip("nbformat")

LIVE = "application/vnd.jupyter.widget-view+json"


def notebook_of(*outputs: Any) -> Any:
    cell = nbformat.v4.new_code_cell("1", outputs=list(outputs), execution_count=1)
    return nbformat.v4.new_notebook(
        cells=[cell], metadata={"widgets": {"state": {"key": "x"}}}
    )


def stream(text: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def display(**data: str) -> Any:
    return nbformat.v4.new_output(
        "display_data", data={k.replace("_", "/"): v for k, v in data.items()}
    )


def test_what_shows_nothing_without_a_kernel_is_left_out() -> None:
    shown = display(text_html="<b>twin</b>", text_plain="twin")
    shown.data[LIVE] = {"model_id": "x"}
    notebook = notebook_of(shown)

    make_static(notebook)

    assert "widgets" not in notebook.metadata
    assert set(notebook.cells[0].outputs[0].data) == {"text/html", "text/plain"}


@pytest.mark.parametrize(
    "outputs",
    [
        [stream("x" * 10_000_000)],
        [stream("line\n" * 10)] * 5_000,
        [display(text_html="<b>" * 500_000, text_plain="short")],
        [display(text_plain="p" * 50_000)] * 100,
        [
            nbformat.v4.new_output(
                "error", ename="E", evalue="", traceback=["t" * 10**6]
            )
        ],
    ],
    ids=["one text", "many texts", "one display", "many displays", "a traceback"],
)
def test_no_cell_is_larger_than_a_reader_can_take(outputs: list[Any]) -> None:
    notebook = notebook_of(*map(deepcopy, outputs))

    make_static(notebook)

    kept = notebook.cells[0].outputs
    assert 0 < len(json.dumps(kept)) <= LARGEST
    nbformat.validate(notebook)


def test_a_small_cell_is_left_as_it_is() -> None:
    notebook = notebook_of(stream("x" * 100_000), display(text_plain="short"))
    before = json.dumps(notebook.cells)

    make_static(notebook)

    assert json.dumps(notebook.cells) == before


def test_keys_are_taken_out_wherever_they_stand(tmp_path: Path) -> None:
    notebook = notebook_of(stream("own-key"), display(text_html="<b>own-key</b>"))
    notebook.cells[0].source = "key = 'own-key'  # sk-abcdefghijklmnopqrst"
    notebook.metadata["own-key"] = ["own-key"]

    write_notebook(notebook, tmp_path / "a.ipynb", ["own-key"])

    text = (tmp_path / "a.ipynb").read_text()
    assert "own-key" not in text and "sk-abc" not in text
    assert text.count("[redacted]") == 6


def test_an_older_file_stays_if_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").mkdir()

    with pytest.raises(OSError, match="a.ipynb"):
        write_notebook(notebook_of(), tmp_path / "a.ipynb")

    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]
