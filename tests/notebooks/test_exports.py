"""Widgets in executed notebooks: the last state is stored, and exports are inert."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from servers.markup import SCRIPTS

from aistrale_lab.widgets.exporting import clean, to_html

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("papermill")
pytest.importorskip("nbconvert")

LARGEST_OUTPUT = 200_000
ANSWERS = 2 * len(SCRIPTS)

TALLY = """
from aistrale_lab.domain import rich
from aistrale_lab.widgets.view import View

class Tally(View):
    _esm = "export default { render({ el }) { el.textContent = 'OUR SCRIPT'; } };"

    def acts(self):
        return {}

    def static_html(self):
        return rich.table(["count"], [[self.state["count"]]])

    def static_text(self):
        return f"counted {self.state['count']}"
"""

COUNTED = (
    "from tally import Tally\nview = Tally({'count': 'seven'})\nview",
    "'another output'",
    "view.show(count='eight')\nview.refresh_static()",
    "twice = Tally({'count': 'one'})\ntwice",
    "twice",
    "twice.show(count='two')\ntwice.refresh_static()",
)

OPENED = """
import aistrale_lab as lab
bench = lab.Lab.open()
questions = lab.load_dataset("payloads.jsonl")
task = lab.Task(dataset=questions, scorers=["exact"])
models = ["embedded/echo", "embedded/constant"]
"""

BENCH = (
    OPENED,
    "panel = lab.RunPanel(bench, task, models)\npanel",
    "experiment = await panel.run()",
    "lab.RunPanel.attach(bench, experiment.id)",
    "lab.ResultsTable(experiment)",
    "lab.SummaryView(experiment)",
    "lab.CompareView(experiment)",
    "experiment.results_df()",
)


class Page(HTMLParser):
    """What a browser would run, load or open of a page, and the text it would show."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.sources: set[str] = set()
        self.links: set[str] = set()
        self.styles = ""
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        given = {name: value or "" for name, value in attrs}
        self.sources |= {given[k] for k in ("src", "srcset", "data") if k in given}
        self.links |= {given["href"]} if "href" in given else set()
        self.styles += given.get("style", "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles += data
        else:
            self.text += data


def check_alone(page: str) -> Page:
    """Refuse whatever could run, or ask another machine."""
    found = Page(page)
    embedding = {"script", "iframe", "object", "embed", "svg", "form", "base"}
    assert not found.tags & embedding
    assert not found.handlers
    assert all(source.startswith("data:image/") for source in found.sources)
    links = found.links - {"data:,"}  # the icon, which is none
    assert all(link.startswith(("#", "https://")) for link in links)
    assert "@import" not in found.styles
    assert found.styles.count("url(") == found.styles.count("url(data:")
    return found


def execute(folder: Path, *cells: str) -> Path:
    """A notebook of these cells, executed by papermill as a user would."""
    written = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python"}},
    )
    nbformat.write(written, folder / "given.ipynb")
    words = [sys.executable, "-m", "papermill", "given.ipynb", "executed.ipynb"]
    ended = subprocess.run(
        [*words, "--no-progress-bar"],
        cwd=folder,
        env=os.environ
        | {
            "AISTRALE_STORE": "sqlite:///store.db",
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
            "PYTHONWARNINGS": "ignore",
        },
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert ended.returncode == 0, ended.stderr
    return folder / "executed.ipynb"


def outputs(notebook: Path) -> list[list[dict[str, Any]]]:
    """The outputs of each cell, by type."""
    cells = nbformat.read(notebook, as_version=4)["cells"]
    return [[dict(shown["data"]) for shown in cell["outputs"]] for cell in cells]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counted")
    (folder / "tally.py").write_text(TALLY)
    return execute(folder, *COUNTED)


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benched")
    lines = [json.dumps({"input": text, "target": text}) for text in SCRIPTS]
    (folder / "payloads.jsonl").write_text("\n".join(lines))
    return execute(folder, *BENCH)


def test_a_later_cell_renews_what_an_earlier_one_shows(counted: Path) -> None:
    shown, _, later, *_ = outputs(counted)

    assert [one["text/plain"] for one in shown] == ["counted eight"]
    assert "eight" in shown[0]["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert later == []


def test_every_display_of_a_view_is_renewed(counted: Path) -> None:
    first, second, _ = outputs(counted)[3:]

    assert first[0]["text/plain"] == second[0]["text/plain"] == "counted two"


def test_the_page_shows_the_twin_and_holds_no_script_of_ours(counted: Path) -> None:
    page = to_html(counted)

    found = check_alone(page)
    assert "eight" in found.text
    assert "another output" in found.text
    assert {"table", "thead", "tbody", "th", "td"} <= found.tags
    assert "default-src 'none'" in page
    assert "OUR SCRIPT" not in page
    assert "widget-state" not in page


@pytest.mark.timeout(180)
def test_the_bench_in_a_notebook_is_whole_after_papermill(benched: Path) -> None:
    panel, table, summary, compare, _ = outputs(benched)[3:]

    assert f"Done: {ANSWERS}/{ANSWERS} answered" in Page(panel[0]["text/html"]).text
    assert f"of {ANSWERS} results" in Page(table[0]["text/html"]).text
    assert "embedded/echo" in Page(summary[0]["text/html"]).text
    assert "embedded/constant" in Page(compare[0]["text/html"]).text


@pytest.mark.timeout(180)
def test_a_panel_shows_the_end_of_the_run_that_was_awaited(benched: Path) -> None:
    panel = outputs(benched)[1]

    assert f"Done: {ANSWERS}/{ANSWERS} answered" in panel[0]["text/plain"]


@pytest.mark.timeout(180)
def test_no_output_of_the_bench_is_large(benched: Path) -> None:
    sizes = [len(json.dumps(shown)) for shown in outputs(benched)]

    assert max(sizes) < LARGEST_OUTPUT, sizes


@pytest.mark.timeout(180)
def test_the_page_of_the_bench_is_inert(benched: Path) -> None:
    page = to_html(benched)

    found = check_alone(page)
    assert SCRIPTS[0] in found.text
    assert "embedded/echo" in found.text
    assert not {"\x1b", "\u202e", "\x07"} & set(found.text)


def test_what_a_careless_library_shows_is_made_inert() -> None:
    careless = "".join(f"<td title='x'>{text}</td>" for text in SCRIPTS)
    page = clean(
        f"<style>@import 'http://there'</style><table><tr>{careless}</tr></table>"
        "<p style='background: url(http://there); color: red'>red</p>"
        "<img src='http://there/x.png'><img src='data:text/html,x' alt='none'>"
        "<a href='data:text/html,x'>data</a><a href=' jAvascript:alert(1)'>run</a>"
        "<a href='https://example.org'>there</a>"
    )

    found = check_alone(page)
    assert "http://there" not in found.styles + "".join(found.sources)
    assert found.links == {"https://example.org"}
    assert "color: red" in found.styles
    assert "@import" not in found.text
