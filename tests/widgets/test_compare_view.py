"""The compare view without a browser: what it shows, and what its controls do."""

import json

import pytest
from servers.markup import SCRIPTS, check_inert

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.widgets.compare_view import CompareView


@pytest.fixture
def view(bench: lab.Lab, task: Task) -> CompareView:
    return CompareView(bench.start(task, ["openai/small", "openai/large"]).wait(30))


def shown_id(view: CompareView) -> str:
    return str(view.state["shown"]["title"])


def test_it_begins_where_the_answers_differ(view: CompareView) -> None:
    state = view.state

    assert (state["kind"], state["said"]) == ("differ", "1 of 19")
    assert state["items"][0] == {
        "sample": "q2",
        "scores": ["✗", "✓"],
        "verdict": "better",
    }
    small, large = state["shown"]["answers"]
    assert small["spans"] == [["same", "2"]]
    assert large["spans"] == [["removed", "2"], ["added", "4"]]
    assert state["counts"]["all"] == "20"


def test_filters_search_and_steps(view: CompareView) -> None:
    view.act({"act": "filter", "kind": "all"})
    first = shown_id(view)
    view.act({"act": "jump", "by": 1})
    jumped = shown_id(view)
    view.act({"act": "step", "by": 1})
    view.act({"act": "step", "by": -1})
    assert shown_id(view) == jumped
    view.act({"act": "go", "place": 99})
    last = shown_id(view)
    view.act({"act": "jump", "by": 1})
    stayed = shown_id(view)
    view.act({"act": "filter", "search": "7 + 7"})

    assert (first, jumped, last, stayed) == (
        "Sample q1",
        "Sample q2",
        "Sample q20",
        "Sample q20",
    )
    assert view.state["said"] == "1 of 1"
    view.act({"act": "filter", "kind": "regressions"})
    assert (view.state["said"], view.state["shown"]) == ("no sample fits", None)
    view.act({"act": "jump", "by": -1})
    view.act({"act": "filter", "kind": "nonsense"})
    assert "unknown filter 'nonsense'" in view.state["notice"]


def test_runs_that_agree_show_all_their_samples(bench: lab.Lab, task: Task) -> None:
    swept = task.model_copy(update={"sweep": {"seed": (1, 2)}})
    view = CompareView(bench.start(swept, "openai/large").wait(30))

    assert view.state["kind"] == "all"
    assert view.state["names"] == ["openai/large (seed=1)", "openai/large (seed=2)"]


def test_long_answers_are_cut_and_the_state_stays_small(bench: lab.Lab) -> None:
    long = "long" * 400 + " "  # few words, for each is streamed by itself
    samples = tuple(Sample(id=str(n), input=f"{n} {long}" * 40) for n in range(30))
    task = Task(dataset=Dataset(name="huge", samples=samples))
    found = bench.start(task, ["embedded/echo", "embedded/calculator"]).wait(60)
    view = CompareView(found)

    echoed = view.state["shown"]["answers"][0]
    assert len(echoed["text"]) == 20_000
    assert "more characters are left out" in echoed["note"]
    assert len(json.dumps(view.state)) < 100_000
    assert len(view.static_html()) < 50_000


def test_what_models_say_is_text(bench: lab.Lab) -> None:
    samples = tuple(Sample(id=p, input=p, target=p, group=p) for p in SCRIPTS)
    task = Task(dataset=Dataset(name="payloads", samples=samples), scorers="exact")
    both = ["embedded/echo", "embedded/calculator"]
    view = CompareView(bench.start(task, both).wait(30))

    found = check_inert(view.static_html())

    assert SCRIPTS[0] in found.text
    for place in range(len(samples)):
        view.act({"act": "go", "place": place})
        shown = json.dumps(view.state["shown"], ensure_ascii=False)
        assert not {"\x1b", "\u202e", "\x07"} & set(shown)
    assert (
        "CompareView: embedded/calculator against embedded/echo" in view.static_text()
    )
