"""A report in a real Chromium, from a file, with no host to reach.

Its pictures are for a person to look at: tests/screenshots, not in git.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from servers.acted import ActedServer
from servers.markup import SCRIPTS

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report import PointRow, index_page, write_report

FOLDER = Path(__file__).parents[1] / "screenshots"
QUESTIONS = Path(__file__).parents[2] / "datasets" / "skills.jsonl"
MODELS = ["embedded/small", "embedded/mini", "embedded/constant", "openai/picky"]
TITLE = "Which small model does arithmetic best?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a true experiment, one of hostile texts, and an index of both."""
    folder = tmp_path_factory.mktemp("reports")
    with ActedServer() as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_BASE_URL", server.base_url)
        environment.setenv("OPENAI_API_KEY", "sk-loopback")
        with lab.Lab.open(f"sqlite:///{folder}/store.db") as bench:
            write_report(_skills(bench), folder / "report.html", title=TITLE)
            write_report(_hostile(bench), folder / "hostile.html")
    rows = [
        PointRow("0001", {"limit": 130}, export="report.html", run_ids=["r1"]),
        PointRow("0002", {"limit": 11}, "failed", export="hostile.html"),
    ]
    page = index_page("Two points", rows, store="sqlite:///store.db")
    (folder / "index.html").write_text(page)
    return folder


def _skills(bench: lab.Lab) -> Experiment:
    questions = lab.load_dataset(QUESTIONS, limit=130)
    task = lab.Task(dataset=questions, scorers=["exact", "similarity"])
    return bench.start(task, MODELS).wait(100)


def _hostile(bench: lab.Lab) -> Experiment:
    samples = tuple(
        Sample(id=p, input=p, target="no" if n < 8 else p, group=p)
        for n, p in enumerate(SCRIPTS)
    )
    task = Task(dataset=Dataset(name=SCRIPTS[0], samples=samples), scorers="exact")
    return bench.start(task, ["embedded/echo", "embedded/constant"]).wait(60)


@pytest.fixture
def watched(browser: Browser) -> Iterator[Any]:
    """Opens files; at the end no page may have said or asked for anything."""
    said: list[str] = []
    asked: list[str] = []
    pages: list[Page] = []

    def open_one(file: Path, **how: Any) -> Page:
        page = browser.new_page(**how)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_one
    for page in pages:
        page.close()
    assert said == []
    files = [url for url in asked if url.startswith("file://")]
    inner = [url for url in asked if url.startswith("data:")]
    assert len(files) + len(inner) == len(asked), asked
    assert all(url.endswith(".html") for url in files)


def test_a_report_opens_without_a_word_or_a_request(folder: Path, watched: Any) -> None:
    page = watched(folder / "report.html")

    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
    expect(page.locator("section")).to_have_count(11)
    assert page.locator("img").evaluate_all(
        "pictures => pictures.every((one) => one.naturalWidth > 200 && one.alt)"
    )
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "1360px"


def test_its_contents_lead_to_its_sections(folder: Path, watched: Any) -> None:
    page = watched(folder / "report.html")

    page.get_by_role("link", name="Failures").click()

    expect(page.get_by_role("heading", name="Failures")).to_be_in_viewport()
    assert page.url.endswith("report.html#failures")


def test_what_models_say_runs_nowhere_in_a_report(folder: Path, watched: Any) -> None:
    page = watched(folder / "hostile.html")

    assert (
        page.locator("script, iframe, [onerror], [onload], [onmouseover]").count() == 0
    )
    assert page.locator("a:not([href^='#'])").count() == 0
    for payload in SCRIPTS[:8]:
        expect(
            page.locator("pre").get_by_text(payload, exact=True).first
        ).to_be_visible()


def test_the_index_leads_to_its_pages(folder: Path, watched: Any) -> None:
    page = watched(folder / "index.html")

    page.get_by_role("link", name="0001").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_wider_than_the_page(
    folder: Path, watched: Any, scheme: str, width: int
) -> None:
    FOLDER.mkdir(exist_ok=True)
    size = {"width": width, "height": 1000}
    for name in ("report", "hostile", "index"):
        page = watched(folder / f"{name}.html", viewport=size, color_scheme=scheme)

        page.screenshot(
            path=FOLDER / f"page-{name}-{scheme}-{width}.png", full_page=True
        )
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide), name


def test_on_paper_it_is_dark_on_light_without_the_contents(
    folder: Path, watched: Any
) -> None:
    page = watched(folder / "report.html", color_scheme="dark")

    page.emulate_media(media="print")

    expect(page.get_by_role("navigation")).to_be_hidden()
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    assert page.evaluate(colours) == ["rgb(29, 29, 29)", "rgb(255, 255, 255)"]
