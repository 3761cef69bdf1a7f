"""Which cell asks, and whether the cells ran in their order: in a true kernel."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aistrale_lab.lab.cells import is_in_order

KernelManager = pytest.importorskip("jupyter_client").KernelManager

CELLS = [{"source": f"cell {n}"} for n in range(4)]


@pytest.mark.parametrize(
    ("ran", "in_order"),
    [
        ([0], True),
        ([0, 1, 2, 3], True),
        ([0, 1, 1, 1, 2], True),
        ([0, 2], False),
        ([1], False),
        ([0, 1, 0], False),
        ([0, 2, 1, 2], False),
    ],
)
def test_cells_are_in_order_from_the_top_with_none_left_out(
    ran: Sequence[int], in_order: bool
) -> None:
    assert is_in_order(ran, CELLS) is in_order


def test_an_empty_cell_may_be_left_out() -> None:
    assert is_in_order([0, 2], [{"source": "a"}, {"source": ""}, {"source": "b"}])


SOURCES = (
    "from aistrale_lab.lab.cells import origin, words_of",
    "import json",
    "found = origin()\nprint(json.dumps(found))\nif 'ran' in found: print(words_of(found))",
)


def told(folder: Path, order: Sequence[int]) -> tuple[dict[str, Any], list[str]]:
    """What the last of the cells prints, run in that order in a kernel."""
    path = folder / "asked.ipynb"
    cells = [
        {"cell_type": "code", "id": f"id{n}", "source": [source], "metadata": {}}
        for n, source in enumerate(SOURCES)
    ]
    path.write_text(json.dumps({"cells": cells}))
    kernels = KernelManager(kernel_name="python3")
    kernels.start_kernel(extra_arguments=["--IPKernelApp.log_level=ERROR"])
    client = kernels.client()
    lines: list[str] = []
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        before = f"import os; os.environ['JPY_SESSION_NAME'] = {str(path)!r}"
        for source in [before, *(SOURCES[n] for n in order)]:
            client.execute_interactive(
                source, timeout=60, output_hook=lambda message: _keep(message, lines)
            )
    finally:
        client.stop_channels()
        kernels.shutdown_kernel(now=True)
    text = "".join(lines).splitlines()
    return json.loads(text[0]), text[1:]


def _keep(message: dict[str, Any], lines: list[str]) -> None:
    if message["msg_type"] == "stream":
        lines.append(message["content"]["text"])


def test_a_kernel_knows_the_notebook_and_the_cell(tmp_path: Path) -> None:
    found, said = told(tmp_path, [0, 1, 2])

    assert found["notebook"] == str(tmp_path / "asked.ipynb")
    assert (found["cell_id"], found["in_order"]) == ("id2", True)
    assert found["execution_count"] == 4
    assert said == []


def test_cells_out_of_order_are_noticed(tmp_path: Path) -> None:
    found, said = told(tmp_path, [1, 0, 1, 2])

    assert (found["in_order"], found["ran"]) == (False, [2, 1, 2, 3])
    assert "in another order than they stand (2, 1, 2, 3)" in said[0]
