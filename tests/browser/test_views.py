"""The table, the comparison and the summary by hand and by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from servers.jupyterlab import JupyterLab, Notebook, OpenNotebook, write_notebook
from servers.markup import SCRIPTS

SETUP = """\
import aistrale_lab as lab
bench = lab.Lab.open("sqlite:///views.db")
questions = lab.load_dataset("../datasets/skills.jsonl", limit=130)
task = lab.Task(dataset=questions, scorers=["exact"])
panel = lab.RunPanel(bench, task, ["embedded/small", "embedded/mini"])
experiment = await panel.run()
"""

HOSTILE = f"""\
import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample
payloads = {list(SCRIPTS)!r}
samples = tuple(Sample(id=p, input=p, target=p, group=p) for p in payloads)
bench = lab.Lab.open("sqlite:///hostile.db")
task = lab.Task(dataset=Dataset(name=payloads[0], samples=samples), scorers=["exact"],
                prompt=lab.PromptTemplate(user="{{{{ input }}}}", system=payloads[1]))
panel = lab.RunPanel(bench, task, ["embedded/echo", "embedded/calculator"])
experiment = await panel.run()
"""

VIEWS = {
    "table": "lab.ResultsTable(experiment, page_size=10)",
    "compare": "lab.CompareView(experiment)",
    "summary": "lab.SummaryView(experiment)",
    "panel": "panel",
}


@pytest.fixture(scope="module")
def notebook(jupyterlab: JupyterLab, browser: Browser) -> Iterator[Notebook]:
    """An experiment of two models, and a cell for a view of it; one for all tests."""
    path = jupyterlab.folder / "notebooks" / "views.ipynb"
    write_notebook(path, SETUP, "")
    with browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        notebook = Notebook(page, jupyterlab)
        notebook.open("notebooks/views.ipynb")
        notebook.run(0)
        yield notebook
        notebook.shut_down()
        assert notebook.problems == []


def test_a_table_is_sorted_searched_and_opened(notebook: Notebook) -> None:
    notebook.evaluate(1, VIEWS["table"])
    table = notebook.output(1).locator(".al-results-table")
    said = table.get_by_role("status").last
    rows = table.locator("tbody tr")
    expect(said).to_have_text("1 to 10 of 260 results")

    table.get_by_role("button", name="score_exact").click()
    expect(table.get_by_role("columnheader", name="score_exact")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(rows.first).to_contain_text("count_letters")
    table.get_by_role("button", name="next").first.click()
    expect(said).to_have_text("11 to 20 of 260 results")
    table.get_by_role("searchbox").press_sequentially("reverse", delay=15)
    expect(said).to_contain_text("filtered from 260")
    expect(table.get_by_role("searchbox")).to_have_value("reverse")
    rows.nth(1).locator("td").nth(2).click()

    pane = table.get_by_role("complementary")
    expect(pane).to_contain_text("prompt: user")
    expect(pane).to_contain_text("time to first token, s")
    first = pane.get_by_role("heading", level=4).inner_text()
    pane.get_by_role("button", name="next result").click()
    expect(pane.get_by_role("heading", level=4)).not_to_have_text(first)


def test_a_table_is_used_by_keyboard_alone(notebook: Notebook) -> None:
    page = notebook.page
    notebook.evaluate(1, VIEWS["table"])
    table = notebook.output(1).locator(".al-results-table")
    table.locator(".al-open").first.focus()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    pane = table.get_by_role("complementary")
    expect(pane.get_by_role("heading", level=4)).to_contain_text("add_3-1")
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()
    expect(table.locator(".al-open").nth(2)).to_be_focused()
    page.keyboard.press("PageDown")
    expect(table.get_by_role("status").last).to_contain_text("11 to 20")
    page.keyboard.press("/")
    expect(table.get_by_role("searchbox")).to_be_focused()


def test_columns_are_chosen_and_stay_after_a_reload(notebook: Notebook) -> None:
    notebook.evaluate(1, VIEWS["table"])
    table = notebook.output(1).locator(".al-results-table")
    table.get_by_text("Columns", exact=True).click()
    table.get_by_label("output_tokens", exact=True).check()
    expect(table.get_by_role("columnheader", name="output_tokens")).to_be_visible()

    notebook.reload()

    again = notebook.output(1).locator(".al-results-table")
    expect(again.get_by_role("columnheader", name="output_tokens")).to_be_visible()
    again.get_by_role("button", name="output_tokens").click()
    expect(again.locator('[aria-sort="ascending"]')).to_contain_text("output_tokens")


def test_runs_are_compared_by_keyboard(notebook: Notebook) -> None:
    page = notebook.page
    notebook.evaluate(1, VIEWS["compare"])
    view = notebook.output(1).locator(".al-compare-view")
    heading = view.get_by_role("heading", level=4)
    view.get_by_label("Which samples").select_option("regressions")
    expect(view.get_by_role("status")).to_contain_text("1 of ")
    first = heading.inner_text()

    view.focus()
    page.keyboard.press("j")
    expect(heading).not_to_have_text(first)
    page.keyboard.press("ArrowUp")
    expect(heading).to_have_text(first)
    expect(view.locator("del")).not_to_have_count(0)
    view.get_by_label("show differences").uncheck()
    expect(view.locator("del")).to_have_count(0)
    page.keyboard.press("f")
    expect(view.get_by_label("Which samples")).to_have_value("improvements")


def test_the_summary_has_its_table_and_its_pictures(notebook: Notebook) -> None:
    notebook.evaluate(1, VIEWS["summary"])
    view = notebook.output(1).locator(".al-summary-view")

    expect(view.get_by_role("row")).to_have_count(3)
    expect(view.locator("img")).to_have_count(3)
    assert view.locator("img").evaluate_all(
        "pictures => pictures.every((one) => one.naturalWidth > 300 && one.alt)"
    )


def test_what_models_say_runs_nowhere(
    jupyterlab: JupyterLab, open_notebook: OpenNotebook
) -> None:
    path = jupyterlab.folder / "notebooks" / "hostile.ipynb"
    write_notebook(
        path, HOSTILE, *VIEWS.values(), "experiment", "task", "questions = 1"
    )
    notebook = open_notebook("notebooks/hostile.ipynb")
    for number in range(7):
        notebook.run(number)
    table = notebook.output(1).locator(".al-results-table")

    for place in range(3):
        table.locator("tbody tr").nth(place).locator(".al-open").click()
        expect(table.get_by_role("complementary")).to_contain_text(SCRIPTS[place][:12])
    compare = notebook.output(2).locator(".al-compare-view")
    compare.get_by_label("Which samples").select_option("all")
    for _ in SCRIPTS:
        compare.focus()
        notebook.page.keyboard.press("j")
    expect(compare.get_by_role("heading", level=4)).to_contain_text("=cmd")

    views = notebook.page.locator(".al-view, .jp-RenderedHTMLCommon")
    assert (
        views.locator("script, iframe, svg[onload], [onerror], [onmouseover]").count()
        == 0
    )
    assert views.locator("img[src='x'], a[href^='javascript']").count() == 0
    expect(table.locator("td").get_by_text(SCRIPTS[0]).first).to_be_visible()
