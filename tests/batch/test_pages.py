"""What a batch leaves for a browser: an index, its points as pages, its reports."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from servers.batches import BatchFolder, write_batch_notebook
from servers.markup import Markup, check_page

from aistrale_lab import Lab
from aistrale_lab.batch import Batch
from aistrale_lab.batch.drive import is_of_point
from aistrale_lab.batch.grid import BatchFile, make_points
from aistrale_lab.batch.pages import page_of, write_pages
from aistrale_lab.batch.parameters import Parameter
from aistrale_lab.store.records import PointRecord, PointStatus

pytestmark = pytest.mark.timeout(240)

MODELS = "model=openai/large,openai/small"
MODEL = Parameter(name="model", kind="str", default="c")


def links_of(page: Path) -> dict[str, Path]:
    """Where the links of a page lead, but for those within it."""
    found = Markup(page.read_text()).links
    return {a: page.parent / a for a in found if not a.startswith(("#", "data:"))}


def test_the_index_leads_to_every_notebook_its_page_and_the_report(
    folder: BatchFolder,
) -> None:
    ended = folder.run("-p", MODELS, "--pages", "--json")

    told = json.loads(ended.stdout)
    index = folder.out / "index.html"
    (experiment,) = told["experiment_ids"]
    assert ended.returncode == 0, ended.stderr
    assert told["index"] == str(index)
    assert f"the index of the batch is {index}" in ended.stderr
    links = links_of(index)
    assert list(links) == [
        f"./reports/{experiment}.html",
        *("./pages/openai-large.html", "./openai-large.ipynb"),
        *("./pages/openai-small.html", "./openai-small.ipynb"),
    ]
    assert all(path.is_file() for path in links.values())
    shown = check_page(index.read_text(), links=tuple(links)).text
    for text in ("100.0 %", "5.0 %", "20/20", *run_ids(told)):
        assert text in shown, text
    assert sorted(p.stem for p in folder.out.rglob("*.ipynb")) == list(folder.outputs())


def run_ids(told: dict[str, Any]) -> list[str]:
    return [run["run_id"] for point in told["points"] for run in point["runs"]]


@pytest.fixture
def found(bench: Lab, tmp_path: Path) -> Batch:
    """A batch of two points: one completed, one that failed without a notebook."""
    record = bench.batches.open("b", name="b", notebook="b.ipynb", fresh=True)
    points = make_points(BatchFile(grid={"model": ["a", "b"]}), [MODEL])
    for place, point in enumerate(points):
        told = {**point.model_dump(), "batch_id": record.id, "position": place}
        bench.batches.put_points([PointRecord(**told, source="s")])
    first, second = bench.batches.points(record.id)
    bench.batches.end(first, PointStatus.COMPLETED, None)
    bench.batches.end(second, PointStatus.FAILED, "it <b>broke</b>")
    write_batch_notebook(tmp_path / "a.ipynb", "'the first words'")
    return Batch(bench, record, points, tmp_path)


async def test_a_page_is_made_again_once_its_notebook_changed(found: Batch) -> None:
    notebook = found.out / "a.ipynb"
    await write_pages(found)
    page = page_of(notebook)
    untouched = page.stat().st_mtime_ns
    await write_pages(found)
    kept = page.stat().st_mtime_ns
    write_batch_notebook(notebook, "'the second words'")
    os.utime(notebook, ns=(kept + 1, kept + 1))
    await write_pages(found)

    assert kept == untouched
    assert "the second words" in page.read_text()
    assert "the first words" not in page.read_text()


async def test_what_is_not_there_is_not_linked_and_says_why(found: Batch) -> None:
    await write_pages(found)

    index = found.out / "index.html"
    assert list(links_of(index)) == ["./pages/a.html", "./a.ipynb"]
    assert "it &lt;b&gt;broke&lt;/b&gt;" in index.read_text()
    assert found.index == index


def test_a_notebook_of_that_name_may_be_another_points(tmp_path: Path) -> None:
    (point,) = make_points(BatchFile(grid={"model": ["a"]}), [MODEL])
    (other,) = make_points(BatchFile(grid={"model": ["b"]}), [MODEL])
    path = tmp_path / "point.ipynb"
    path.write_text(json.dumps({"metadata": {"aistrale": {"key": point.key}}}))

    assert point.name == other.name == "point"
    assert is_of_point(path, point) and not is_of_point(path, other)
    assert not is_of_point(tmp_path / "none.ipynb", point)
    path.write_text(path.read_text()[:20])
    assert not is_of_point(path, point)
