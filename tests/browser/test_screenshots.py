"""Pictures of every panel, for a person to look at: tests/screenshots, not in git.

They are also checked for what a machine can see: nothing wider than the page.
"""

from pathlib import Path

import pytest
from servers.jupyterlab import JupyterLab, OpenNotebook, write_notebook

FOLDER = Path(__file__).parents[1] / "screenshots"
SIZES = (1280, 800)

CELLS = {
    "run-panel": "panel",
    "results-table": "table",
    "compare-view": "lab.CompareView(experiment)",
    "summary-view": "lab.SummaryView(experiment)",
}

SETUP = """\
import aistrale_lab as lab
bench = lab.Lab.open("sqlite:///screenshots.db")
questions = lab.load_dataset("../datasets/skills.jsonl", limit=130)
task = lab.Task(dataset=questions, scorers=["exact"])
panel = lab.RunPanel(bench, task, ["embedded/small", "embedded/mini"])
experiment = await panel.run()
table = lab.ResultsTable(experiment, page_size=10)
table.act({"act": "open", "run_id": experiment.runs[0].id, "sample_id": "add_3-1", "epoch": 1})
"""


@pytest.mark.timeout(180)
def test_every_panel_in_both_themes_and_two_widths(
    jupyterlab: JupyterLab, open_notebook: OpenNotebook
) -> None:
    FOLDER.mkdir(exist_ok=True)
    path = jupyterlab.folder / "notebooks" / "screenshots.ipynb"
    write_notebook(path, SETUP, *CELLS.values())
    notebook = open_notebook("notebooks/screenshots.ipynb")
    for number in range(len(CELLS) + 1):
        notebook.run(number)
    page = notebook.page

    for dark in (False, True):
        notebook.theme(dark)
        for width in SIZES:
            page.set_viewport_size({"width": width, "height": 2200})
            for number, name in enumerate(CELLS, start=1):
                view = notebook.output(number).locator(f".al-{name}")
                view.scroll_into_view_if_needed()
                theme = "dark" if dark else "light"
                view.screenshot(path=FOLDER / f"{name}-{theme}-{width}.png")
                box = view.bounding_box()
                assert box is not None and box["x"] + box["width"] <= width, name
                wide = "(el) => el.scrollWidth > el.clientWidth + 1"
                assert not view.evaluate(wide), f"{name} spills at {width}"
