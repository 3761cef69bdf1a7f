"""The shipped notebooks as a newcomer goes through them: from top to bottom, by hand."""

import re

import pytest
from playwright.sync_api import expect
from servers.jupyterlab import OpenNotebook

ANSWERS = 390
"""Three models on 130 samples, as the quickstart asks."""


@pytest.mark.timeout(180)
def test_the_quickstart_by_clicking(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook("notebooks/01_quickstart.ipynb")
    notebook.clear()
    notebook.run(0)
    notebook.run(1)
    panel = notebook.output(1).locator(".al-run-panel")
    done, said = panel.locator(".al-share"), panel.get_by_role("status").first

    expect(panel).to_contain_text(f"Plan: {ANSWERS} calls")
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(done.first).not_to_have_text("0/130")
    panel.get_by_role("button", name="Stop").click()
    expect(said).to_contain_text("Resume sends the rest")
    left = re.search(r"\d+", panel.get_by_role("button", name="Resume").inner_text())
    panel.get_by_role("button", name="Resume").click()
    expect(said).to_have_text(f"Done: {ANSWERS}/{ANSWERS} answered.")
    assert left is not None and 0 < int(left[0]) < ANSWERS

    notebook.run(2)
    summary = notebook.output(2).locator(".al-summary-view")
    expect(summary.get_by_role("row")).to_have_count(4)
    expect(summary.locator("img").first).to_be_visible()
    notebook.run(3)
    table = notebook.output(3).locator(".al-results-table")
    said = table.get_by_role("status").last
    expect(said).to_have_text(f"1 to 10 of {ANSWERS} results")
    table.get_by_role("button", name="duration_s").click()
    expect(table.locator('[aria-sort="ascending"]')).to_contain_text("duration_s")
    table.get_by_role("searchbox").fill("reverse")
    expect(said).to_contain_text(f"filtered from {ANSWERS}")
    table.locator("tbody tr").first.locator(".al-open").click()
    expect(table.get_by_role("complementary")).to_contain_text("prompt: user")

    outputs = [cell.get("outputs", []) for cell in notebook.save()["cells"]]
    assert max(len(str(shown)) for shown in outputs) < 200_000, "as GitHub shows it"


@pytest.mark.timeout(180)
def test_the_comparison_by_clicking(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook("notebooks/02_compare.ipynb")
    notebook.clear()
    cells = notebook.page.locator(".jp-CodeCell").count()
    for number in range(cells):
        notebook.run(number)
    view = notebook.page.locator(".al-compare-view")

    expect(notebook.output(2)).to_contain_text("questions won")
    expect(notebook.output(3).locator("img")).to_be_visible()
    view.get_by_label("Which samples").select_option("improvements")
    expect(view.get_by_role("status")).to_contain_text("1 of ")
    first = view.get_by_role("heading", level=4).inner_text()
    view.focus()
    notebook.page.keyboard.press("n")
    expect(view.get_by_role("heading", level=4)).not_to_have_text(first)
