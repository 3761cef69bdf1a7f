"""The results table without a browser: what it shows, and what its controls do."""

import json
import threading

import pytest
from servers.markup import SCRIPTS, check_inert
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import ValidationError
from aistrale_lab.widgets.results_table import ResultsTable


@pytest.fixture
def table(bench: lab.Lab, task: Task) -> ResultsTable:
    experiment = bench.start(task, ["openai/small", "openai/large"]).wait(30)
    return ResultsTable(experiment, page_size=10)


def test_the_first_page_is_there_at_once(table: ResultsTable) -> None:
    state = table.state

    assert state["said"] == "1 to 10 of 40 results"
    assert state["chosen"] == [
        "model",
        "sample_id",
        "input",
        "target",
        "output",
        "score_number",
        "duration_s",
    ]
    assert state["cells"][0][:6] == [
        "openai/small",
        "q1",
        "What is 1 + 1?",
        "2",
        "2",
        "1",
    ]


def test_sorting_and_turning_the_page(table: ResultsTable) -> None:
    table.act({"act": "query", "sort": "score_number", "descending": True})
    first = table.state["cells"][0]
    table.act({"act": "query", "offset": 30})

    assert first[5] == "1"
    assert table.state["said"] == "31 to 40 of 40 results"
    assert table.state["cells"][-1][5] == "0"
    assert table.state["query"]["sort"] == "score_number"


def test_a_search_begins_at_the_first_page(table: ResultsTable) -> None:
    table.act({"act": "query", "offset": 30})
    table.act({"act": "query", "search": "20 +"})

    assert table.state["said"] == "1 to 2 of 2 results (filtered from 40)"
    table.act({"act": "query", "search": "nowhere"})
    assert table.state["said"] == "no result fits (filtered from 40)"


def test_a_wrong_question_is_explained_and_forgotten(table: ResultsTable) -> None:
    table.act({"act": "query", "sort": "speed"})

    assert "unknown column 'speed'" in table.state["notice"]
    table.act({"act": "query", "search": "20 +"})
    assert table.state["notice"] == ""
    assert table.state["said"].startswith("1 to 2")


def test_columns_are_chosen(table: ResultsTable) -> None:
    table.act({"act": "choose", "columns": ["output_tokens", "model"]})

    assert table.state["chosen"] == ["model", "output_tokens"]
    assert table.state["cells"][0] == ["openai/small", "1"]
    with pytest.raises(ValidationError, match="unknown column 'nope'"):
        ResultsTable(table._experiment, columns=["nope"])


def test_a_row_opens_with_all_that_is_known_of_it(table: ResultsTable) -> None:
    run_id, sample_id, epoch = table.state["keys"][2]

    table.act({"act": "open", "run_id": run_id, "sample_id": sample_id, "epoch": epoch})

    opened = table.state["opened"]
    texts = {part["title"]: part["text"] for part in opened["texts"]}
    assert opened["title"] == "openai/small, sample q3, epoch 1"
    assert texts == {"prompt: user": "What is 3 + 3?", "target": "6", "output": "2"}
    assert opened["scores"][0]["scorer"] == "number"
    assert ["tokens out", "1"] in opened["facts"]
    assert '"model": "small"' in opened["raw"]["text"]
    table.act({"act": "close"})
    assert table.state["opened"] is None


def test_stepping_goes_over_the_page_and_stops_at_the_ends(
    table: ResultsTable,
) -> None:
    last = dict(zip(("run_id", "sample_id", "epoch"), table.state["keys"][9]))
    table.act({"act": "open", **last})

    table.act({"act": "step", "by": 1})
    on = table.state["opened"]["key"], table.state["said"]
    table.act({"act": "step", "by": -1})
    back = table.state["opened"]["key"]
    table.act({"act": "query", "offset": 0})
    first = table.state["keys"][0]
    table.act({"act": "open", **dict(zip(("run_id", "sample_id", "epoch"), first))})
    table.act({"act": "step", "by": -1})

    assert on[0][1] == "q11" and on[1] == "11 to 20 of 40 results"
    assert back[1] == "q10"
    assert table.state["opened"]["key"] == first


def test_a_table_fills_while_the_run_goes_on(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.15
    handle = bench.start(task, "openai/large", concurrency=1)
    table = ResultsTable(handle)
    seen: list[str] = []
    ended = threading.Event()
    table.observe(lambda _: seen.append(table.state["said"]), "state")
    table.observe(lambda _: table.state["live"] or ended.set(), "state")

    handle.wait(30)

    assert ended.wait(10)
    assert any("the run goes on" in said for said in seen)
    assert table.state["said"] == "1 to 20 of 20 results"


async def test_huge_answers_make_no_large_state(bench: lab.Lab) -> None:
    long = ("long" * 1_000 + " ") * 50  # few words, for each is streamed by itself
    samples = tuple(Sample(id=str(n), input=long) for n in range(30))
    task = Task(dataset=Dataset(name="huge", samples=samples))
    table = ResultsTable(await bench.run(task, "embedded/echo"))
    first = len(json.dumps(table.state))

    run_id, sample_id, epoch = table.state["keys"][0]
    table.act({"act": "open", "run_id": run_id, "sample_id": sample_id, "epoch": epoch})

    output = table.state["opened"]["texts"][-1]
    assert first < 50_000
    assert len(table.static_html()) < 50_000
    assert "more characters are left out" in output["note"]
    assert len(output["text"]) == 50_000


async def test_what_models_say_is_text(bench: lab.Lab) -> None:
    samples = tuple(Sample(id=p, input=p, target=p, group=p) for p in SCRIPTS)
    task = Task(dataset=Dataset(name="payloads", samples=samples), scorers="exact")
    table = ResultsTable(await bench.run(task, "embedded/echo"))

    found = check_inert(table.static_html())

    assert SCRIPTS[0] in found.text
    assert len(table.state["cells"]) == len(SCRIPTS)
    for key in table.state["keys"]:
        table.act({"act": "open", **dict(zip(("run_id", "sample_id", "epoch"), key))})
        shown = json.dumps(table.state["opened"]["texts"], ensure_ascii=False)
        assert table.state["notice"] == ""
        assert not {"\x1b", "\u202e", "\x07"} & set(shown)
