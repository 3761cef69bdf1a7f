"""The summary view without a browser: its table, its plots, and what it cannot draw."""

import base64
import threading

import pytest
from servers.markup import SCRIPTS, check_inert
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.widgets.summary_view import SummaryView

BOTH = ["openai/small", "openai/large"]


@pytest.fixture
def experiment(bench: lab.Lab, task: Task) -> Experiment:
    return bench.start(task, BOTH).wait(30)


def test_the_table_is_that_of_the_command_line(experiment: Experiment) -> None:
    state = SummaryView(experiment).state

    headings = [" ".join(parts) for parts in state["headings"]]
    small, large = (dict(zip(headings, row)) for row in state["rows"])
    assert headings[:4] == ["model", "number", "95 % interval", "n/N"]
    assert (small["model"], small["number"]) == ("openai/small", "5.0 %")
    assert (large["number"], large["n/N"]) == ("100.0 %", "20/20")
    assert experiment.id in state["said"]


def test_every_plot_is_a_picture_or_says_why_not(experiment: Experiment) -> None:
    quality, times, cost, duration = SummaryView(experiment).state["plots"]

    for plot in (quality, times, duration):
        assert base64.b64decode(plot["png"]).startswith(b"\x89PNG"), plot["title"]
    assert cost["png"] == ""
    assert "cost_usd" in cost["note"]


async def test_one_run_without_scorers_has_a_table_and_its_times(
    bench: lab.Lab, task: Task
) -> None:
    plain = task.model_copy(update={"scorers": ()})
    view = SummaryView(await bench.run(plain, "openai/large"))

    notes = [plot["note"] for plot in view.state["plots"]]
    assert view.state["metrics"] == []
    assert view.state["plots"][1]["png"]
    assert "no metric to plot" in notes[0]
    assert len(view.state["rows"]) == 1


async def test_another_metric_is_plotted_and_an_unknown_one_explained(
    bench: lab.Lab, task: Task
) -> None:
    judged = task.model_copy(update={"scorers": ("number", "length")})
    view = SummaryView(await bench.run(judged, BOTH))
    first = view.state["plots"][0]["png"]

    view.act({"act": "metric", "metric": "length"})
    second = view.state["plots"][0]["png"]
    view.act({"act": "metric", "metric": "speed"})

    assert first != second
    assert "unknown metric 'speed'" in view.state["plots"][0]["note"]


def test_the_table_follows_a_run_and_the_plots_come_at_its_end(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.05
    handle = bench.start(task, "openai/large", concurrency=2)
    view = SummaryView(handle)
    drawn = threading.Event()
    view.observe(lambda _: view.state["plots"] and drawn.set(), "state")
    before = view.state

    handle.wait(30)

    assert before["plots"] == [] and "the run goes on" in before["said"]
    assert drawn.wait(20)
    assert view.state["rows"][0][3] == "20/20"


def test_the_static_twin_has_the_table_and_the_pictures(
    experiment: Experiment,
) -> None:
    view = SummaryView(experiment)

    found = check_inert(view.static_html(), images=True)

    assert "openai/large" in found.text and "100.0 %" in found.text
    assert len(found.links) == 3
    assert len(view.static_html()) < 200_000
    assert "openai/large  100.0 %" in view.static_text()


async def test_names_that_a_person_did_not_choose_are_text(bench: lab.Lab) -> None:
    samples = tuple(Sample(id=p, input=p, target=p, group=p) for p in SCRIPTS)
    task = Task(dataset=Dataset(name=SCRIPTS[0], samples=samples), scorers="exact")
    experiment = await bench.run(task, ["embedded/echo", "openai/absent"])

    check_inert(SummaryView(experiment).static_html(), images=True)
