"""A real JupyterLab in a real Chromium, on loopback alone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from servers.jupyterlab import JupyterLab, Notebook, OpenNotebook, workbench

PROJECT = Path(__file__).parents[2]
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""No request can leave loopback: every other host is unknown."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one worker: one server and one browser serve them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium, as `make test` found or installed it."""
    found = PROJECT / ".venv" / ".chromium"
    if found.exists():
        return found.read_text().strip()
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser"):
        path = name and shutil.which(name)
        if path:
            return path
    pytest.fail(
        "no Chromium that starts: `make test` finds or installs one, or says why it "
        "cannot (Debian, as root: apt-get install chromium; elsewhere: playwright "
        "install chromium; or name one in CHROMIUM)"
    )


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """A server over a copy of the notebooks, with a store of its own."""
    folder = tmp_path_factory.mktemp("workbench")
    store = f"sqlite:///{folder}/store.db"
    with workbench(folder, AISTRALE_STORE=store) as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium without a screen, gone before tests of another file begin.

    Its driver keeps an event loop running in the thread that asks it, in which no
    test could run one of its own.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile that nothing was stored in, of a usual screen."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    expect.set_options(timeout=20_000)
    yield context
    context.close()


@pytest.fixture
def open_notebook(
    context: BrowserContext, jupyterlab: JupyterLab
) -> Iterator[OpenNotebook]:
    """Opens notebooks; at the end nothing may have gone wrong in their pages."""
    opened: list[Notebook] = []

    def open_one(name: str) -> Notebook:
        notebook = Notebook(context.new_page(), jupyterlab)
        opened.append(notebook)
        notebook.open(name)
        return notebook

    yield open_one
    for notebook in opened:
        notebook.shut_down()
    assert [problem for one in opened for problem in one.problems] == []
