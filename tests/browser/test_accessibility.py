"""Every panel can be read in both themes, by ear and by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from servers.contrast import faint, texts_of
from servers.jupyterlab import JupyterLab, Notebook, write_notebook

SETUP = """\
import aistrale_lab as lab
bench = lab.Lab.open("sqlite:///accessibility.db")
questions = lab.load_dataset("../datasets/skills.jsonl", limit=26)
prompt = "{{ input }}{% if input.startswith('What') %}{{ ' word' * 3000 }}{% endif %}"
task = lab.Task(dataset=questions, scorers=["exact", "includes"], prompt=prompt)
panel = lab.RunPanel(bench, task, ["embedded/small", "embedded/echo"])
experiment = await panel.run()
table = lab.ResultsTable(experiment, page_size=10)
first = experiment.runs[0].id
table.act({"act": "open", "run_id": first, "sample_id": "add_2-1", "epoch": 1})
compare = lab.CompareView(experiment)
summary = lab.SummaryView(experiment)
"""

PANELS = {
    "run-panel": "panel",
    "results-table": "table",
    "compare-view": "compare",
    "summary-view": "summary",
}
"""The class of each, and what the notebook calls it."""

ROLES = {"button", "checkbox", "combobox", "textbox", "searchbox", "listbox"}
NAMED = ROLES | {"progressbar", "image", "table", "region", "DisclosureTriangle"}
"""Roles that say nothing without a name."""

ORDER = Path(__file__).with_name("tab_order.js").read_text()


@pytest.fixture(scope="module")
def notebook(jupyterlab: JupyterLab, browser: Browser) -> Iterator[Notebook]:
    """Every panel over an experiment with right, wrong and failed answers."""
    path = jupyterlab.folder / "notebooks" / "accessibility.ipynb"
    write_notebook(path, SETUP, *PANELS.values())
    with browser.new_page(viewport={"width": 1280, "height": 2200}) as page:
        notebook = Notebook(page, jupyterlab)
        notebook.open("notebooks/accessibility.ipynb")
        for number in range(len(PANELS) + 1):
            notebook.run(number)
        yield notebook
        notebook.shut_down()
        assert notebook.problems == []


@pytest.fixture(params=list(PANELS))
def panel(notebook: Notebook, request: pytest.FixtureRequest) -> Locator:
    """One of the panels, in sight, with all that can be unfolded folded."""
    number = list(PANELS).index(request.param)
    view = notebook.output(number + 1).locator(f".al-{request.param}")
    view.scroll_into_view_if_needed()
    unfold(view, False)
    return view


def unfold(view: Locator, yes: bool) -> None:
    """Open or close every part of a view that has a summary."""
    parts = view.locator("details")
    parts.evaluate_all("(all, yes) => all.forEach((one) => (one.open = yes))", yes)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_its_background(
    notebook: Notebook, panel: Locator, dark: bool
) -> None:
    notebook.theme(dark)
    unfold(panel, True)

    seen = texts_of(panel)

    assert len(seen) > 10
    assert faint(seen) == []


def test_what_is_wrong_and_what_is_offered_stands_out_too(notebook: Notebook) -> None:
    panel = notebook.output(1).locator(".al-run-panel")
    prompt = panel.get_by_label("Prompt", exact=True)
    prompt.fill("{{ nothing }}")
    expect(panel).to_contain_text("'nothing' is undefined")
    panel.get_by_role("combobox", name="Models").click()
    expect(panel.get_by_role("option").first).to_be_visible()
    panel.get_by_role("combobox", name="Models").press("ArrowDown")
    texts = {}

    for dark in (False, True):
        notebook.theme(dark)
        seen = texts_of(panel)
        texts[dark] = {text["text"] for text in seen}
        assert faint(seen) == []

    assert texts[True] == texts[False]
    assert any("'nothing' is undefined" in text for text in texts[True])
    prompt.fill("{{ input }}")
    expect(panel).to_contain_text("Plan: ")


def accessible(view: Locator) -> list[dict[str, Any]]:
    """What Chromium tells a screen reader of a view: role, name and the rest."""
    client = view.page.context.new_cdp_session(view.page)
    view.evaluate("(node) => { window.alView = node; }")
    root = client.send("Runtime.evaluate", {"expression": "window.alView"})
    asked = {"objectId": root["result"]["objectId"]}
    nodes = client.send("Accessibility.queryAXTree", asked)["nodes"]
    client.detach()
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", "").strip(),
            **{one["name"]: one["value"].get("value") for one in node["properties"]},
        }
        for node in nodes
        if not node["ignored"]
    ]


def test_every_control_has_a_name(panel: Locator) -> None:
    unfold(panel, True)

    nodes = accessible(panel)

    controls = [node for node in nodes if node["role"] in ROLES]
    fields = panel.locator("input, button, select, textarea").filter(visible=True)
    assert len(controls) >= fields.count()
    assert [one for one in nodes if one["role"] in NAMED and not one["name"]] == []


def test_what_goes_on_is_spoken(panel: Locator) -> None:
    spoken = [one for one in accessible(panel) if one["role"] == "status"]

    said = panel.get_by_role("status").filter(has_text=" ").first
    expect(said).to_have_attribute("aria-live", "polite")
    assert {one["live"] for one in spoken} == {"polite"}


def test_tab_goes_through_the_controls_as_one_reads(panel: Locator) -> None:
    reached = panel.evaluate(ORDER, [])
    expected = reached["expected"]

    panel.focus()
    steps = []
    for _ in range(len(expected)):
        panel.page.keyboard.press("Tab")
        steps.append(panel.evaluate(ORDER, [steps[-1]["here"]] if steps else []))

    assert [step["here"] for step in steps] == expected
    assert [step["backwards"] for step in steps if step["backwards"]] == []
