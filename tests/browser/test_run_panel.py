"""The run panel by hand: run, stop, resume, reload, restart, attach."""

import re

import pytest
from playwright.sync_api import Page, expect
from servers.jupyterlab import JupyterLab, Notebook, OpenNotebook, write_notebook

SAMPLES = 200
DONE = f"Done: {SAMPLES}/{SAMPLES} answered."

SETUP = """\
import aistrale_lab as lab
bench = lab.Lab.open("sqlite:///{name}.db")
questions = lab.load_dataset("../datasets/skills.jsonl", limit={limit})
task = lab.Task(dataset=questions, scorers=["exact"])
"""


@pytest.fixture
def opened(
    request: pytest.FixtureRequest,
    jupyterlab: JupyterLab,
    open_notebook: OpenNotebook,
) -> Notebook:
    """A notebook with a bench over a fresh store, and a task that takes a few seconds."""
    name = re.sub(r"\W", "_", request.node.name)[:60]
    panel = 'panel = lab.RunPanel(bench, task, "embedded/small", concurrency=1)\npanel'
    write_notebook(
        jupyterlab.folder / "notebooks" / f"{name}.ipynb",
        SETUP.format(name=name, limit=SAMPLES),
        panel,
        "",
        "",
    )
    notebook = open_notebook(f"notebooks/{name}.ipynb")
    notebook.run(0)
    notebook.run(1)
    return notebook


def press(page: Page, name: str) -> None:
    panel = page.locator(".al-run-panel").first
    panel.get_by_role("button", name=re.compile(name)).first.click()


def test_run_stop_reload_and_resume_by_clicking(opened: Notebook) -> None:
    page = opened.page
    panel = page.locator(".al-run-panel")
    done, said = panel.locator(".al-share"), panel.get_by_role("status").first

    expect(panel).to_contain_text(f"Plan: {SAMPLES} calls")
    press(page, "^Run$")
    expect(done).not_to_have_text(f"0/{SAMPLES}")
    seen = done.inner_text()
    expect(done).not_to_have_text(seen)
    press(page, "^Stop$")
    expect(said).to_contain_text("Resume sends the rest")
    stopped = int(done.inner_text().partition("/")[0])
    opened.reload()
    expect(panel).to_have_count(1)
    expect(panel.locator(".al-chips")).to_contain_text(["embedded/small", "exact"])
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_contain_text(f"{SAMPLES - stopped} left")
    resume.click()
    expect(said).to_have_text(DONE)

    assert 0 < stopped < SAMPLES
    assert panel.count() == 1


def test_the_saved_notebook_has_the_final_state(opened: Notebook) -> None:
    panel = opened.page.locator(".al-run-panel")
    press(opened.page, "^Run$")
    expect(panel.get_by_role("status").first).to_have_text(DONE)

    html = opened.saved_html(1, "95 % interval")

    assert "completed" in html and f"{SAMPLES}/{SAMPLES}" in html
    assert panel.count() == 1


def test_a_new_kernel_attaches_and_resumes_what_the_old_one_left(
    opened: Notebook,
) -> None:
    page = opened.page
    press(page, "^Run$")
    expect(page.locator(".al-share")).not_to_have_text(f"0/{SAMPLES}")

    opened.restart_kernel()
    opened.run(0)
    attach = "panel = lab.RunPanel.attach(bench, bench.runs()[0].experiment_id)\npanel"
    opened.write(2, attach)
    opened.run(2)
    panel = opened.output(2).locator(".al-run-panel")

    expect(panel).to_contain_text("its process ended without a word")
    panel.get_by_role("button", name="Resume").click()
    expect(panel.get_by_role("status").first).to_have_text(DONE)
    told = opened.evaluate(3, "print(len(panel.experiment.results_df()))")
    assert told == str(SAMPLES)


BEFORE = """\
import asyncio, threading, time
loop = asyncio.get_running_loop()
was = (asyncio.run, asyncio.Task, type(loop), loop.run_until_complete.__func__)
handle = panel.start()
for _ in range(30): time.sleep(0.1)
"""

AFTER = """\
experiment = await panel.run()
bench.close()
now = (asyncio.run, asyncio.Task, type(loop), loop.run_until_complete.__func__)
left = [t.name for t in threading.enumerate() if "aistrale" in t.name]
print(now == was, left)
"""


def test_progress_moves_while_a_cell_is_busy_and_while_one_waits(
    opened: Notebook,
) -> None:
    done = opened.page.locator(".al-share")
    opened.write(2, BEFORE)
    opened.run(2, wait=False)

    expect(done).not_to_have_text(f"0/{SAMPLES}")
    first = done.inner_text()
    expect(done).not_to_have_text(first)
    busy = opened.cell(2).locator(".jp-InputPrompt").inner_text()
    opened.await_run(2)

    assert busy == "[*]:"
    assert opened.evaluate(3, AFTER) == "True []", "the kernel is as it was"


def test_run_pressed_at_once_runs_what_was_just_typed(opened: Notebook) -> None:
    page = opened.page
    panel = page.locator(".al-run-panel")
    run = panel.get_by_role("button", name="Run", exact=True)
    panel.get_by_role("button", name="remove embedded/small").click()
    prompt = panel.get_by_label("Prompt", exact=True)
    prompt.fill("{{ nothing }}")
    expect(panel).to_contain_text("'nothing' is undefined")
    expect(run).to_be_disabled()

    panel.get_by_label("Samples", exact=True).fill("3")
    prompt.fill("Say: {{ input }}")
    panel.get_by_role("combobox", name="Models").fill("embedded/echo")
    run.click()

    expect(panel.get_by_role("status").first).to_have_text("Done: 3/3 answered.")
    shown = "print(*panel.experiment.results_df()['output'].str[:4])"
    assert opened.evaluate(2, shown) == "Say: Say: Say:"
    assert opened.evaluate(3, "print(panel.experiment.runs[0].model)") == (
        "embedded/echo"
    )


def test_the_form_is_filled_by_hand_and_keys_stay_in_it(opened: Notebook) -> None:
    page = opened.page
    panel = page.locator(".al-run-panel")
    panel.get_by_text("Copy as code").click()
    code = panel.get_by_label("Python of a notebook cell")
    expect(code).to_contain_text("models=['embedded/small'], concurrency=1)")
    panel.get_by_role("button", name="remove embedded/small").click()
    models = panel.get_by_role("combobox", name="Models")
    models.click()
    expect(panel.get_by_role("option").first).to_be_visible()
    models.press_sequentially("calc")
    expect(panel.get_by_role("option")).to_have_text(["embedded/calculator"])
    models.press("ArrowDown")
    models.press("Enter")
    panel.get_by_label("Samples", exact=True).fill("7")
    panel.get_by_label("Prompt", exact=True).fill("Answer: {{ input }}")

    expect(panel).to_contain_text("Plan: 7 calls")
    expect(panel.locator(".al-message pre").first).to_contain_text("Answer: ")
    expect(code).to_contain_text("'embedded/calculator'")
    panel.get_by_label("Prompt", exact=True).fill("{{ nothing }}")
    expect(panel).to_contain_text("'nothing' is undefined")
    expect(panel.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    panel.focus()
    for key in "ddx":
        page.keyboard.press(key)
    assert page.locator(".jp-CodeCell").count() == 4, "no key of the notebook's"
