"""The run panel without a browser: what it shows, and what its buttons do."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from servers.markup import SCRIPTS, check_inert
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import ConfigError, ValidationError
from aistrale_lab.widgets.run_panel import RunPanel


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "set.csv"
    lines = (f"What is {n} + {n}?,{2 * n}\n" for n in range(1, 21))
    path.write_text("input,target\n" + "".join(lines))
    return path


def until_done(panel: RunPanel) -> None:
    """Wait for the run, and for the panel to have seen its end."""
    seen = threading.Event()

    def look(_: Any) -> None:
        if panel.state["phase"] == "done":
            seen.set()

    panel.observe(look, "state")
    look(None)
    assert seen.wait(30)


def test_nothing_is_sent_before_run_is_pressed(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    panel = RunPanel(bench, task, ["openai/small", "openai/large"])

    assert panel.state["plan"].startswith("40 calls · ")
    assert panel.state["problem"] == ""
    assert panel.state["preview"]["messages"] == [
        {"role": "user", "text": "What is 1 + 1?"}
    ]
    assert panel.handle is None
    assert server.calls.total() == 0


def test_run_shows_every_lane_to_its_end(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    panel = RunPanel(bench, task, ["openai/small", "openai/large"])

    panel.act({"act": "run"})
    until_done(panel)

    small, large = panel.progress["lanes"]
    assert (small["lane"], small["done"], small["status"]) == (
        "openai/small",
        "20/20",
        "completed",
    )
    assert large["fraction"] == 1
    assert panel.progress["said"] == "Done: 40/40 answered."
    assert panel.state["notice"] == ""
    assert panel.experiment.complete


def test_an_empty_form_says_what_to_choose(bench: lab.Lab) -> None:
    panel = RunPanel(bench)

    assert panel.state["problem"] == "choose a dataset: a file of prompts"
    panel.act({"act": "run"})
    assert panel.state["notice"] == "choose a dataset: a file of prompts"
    with pytest.raises(ConfigError, match="choose a dataset"):
        panel.start()
    with pytest.raises(ConfigError, match="nothing was run yet"):
        _ = panel.experiment


def test_the_form_alone_makes_a_run(
    bench: lab.Lab, server: RecordedServer, questions: Path
) -> None:
    panel = RunPanel(bench)
    for name, value in {
        "dataset": str(questions),
        "limit": "5",
        "models": ["openai/large"],
        "scorers": ["number"],
        "params": "temperature=0,0.5\nmax_tokens=50",
        "system": "Be brief.",
        "epochs": "2",
        "concurrency": "3",
    }.items():
        panel.act({"act": "edit", name: value})

    panel.act({"act": "run"})
    until_done(panel)

    asked = panel.experiment.task
    assert panel.state["plan"].startswith("20 calls")
    assert [m["role"] for m in panel.state["preview"]["messages"]] == ["system", "user"]
    assert (len(asked.dataset), asked.epochs) == (5, 2)
    assert asked.config.max_tokens == 50
    assert asked.sweep == {"temperature": (0, 0.5)}
    assert server.calls.total() == 20
    assert server.peak <= 6


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("dataset", "nowhere.jsonl", "nowhere.jsonl"),
        ("limit", "many", "limit: 'many' is not a whole number from 1 on"),
        ("epochs", "0", "epochs: '0' is not a whole number from 1 on"),
        ("concurrency", "-1", "concurrency"),
        ("budget", "much", "budget"),
        ("params", "warmth=1", "unknown parameter 'warmth'"),
        ("params", "temperature", "is not of the form KEY=VALUE"),
        ("columns", "answer=target", "one of the keys input, target"),
        ("prompt", "{{ question }}", "'question' is undefined"),
        ("scorers", ["nonsense"], "unknown scorer 'nonsense'"),
        ("models", ["gpt-5"], "is not of the form provider/model"),
        ("models", [], "choose a model"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    bench: lab.Lab,
    server: RecordedServer,
    questions: Path,
    field: str,
    value: Any,
    problem: str,
) -> None:
    task = Task(dataset=lab.load_dataset(questions), scorers=["number"])
    panel = RunPanel(bench, task, "openai/large")

    panel.act({"act": "edit", field: value})

    assert problem in panel.state["problem"]
    panel.act({"act": "run"})
    assert problem in panel.state["notice"]
    assert panel.handle is None
    assert server.calls.total() == 0


def test_a_field_or_an_act_that_does_not_exist_changes_nothing(
    bench: lab.Lab, task: Task
) -> None:
    panel = RunPanel(bench, task, "openai/large")
    before = panel.state

    panel.act({"act": "explode"})
    panel.act({"act": "edit", "key": "sk-1"})

    assert "unknown field key" in panel.state["notice"]
    assert panel.state["form"] == before["form"]


def test_an_unknown_option_is_refused_at_once(bench: lab.Lab, task: Task) -> None:
    with pytest.raises(ValidationError, match="unknown option speed"):
        RunPanel(bench, task, "openai/large", speed=3)


def test_stop_keeps_what_is_done_and_resume_sends_the_rest(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.05
    server.notice_at = 6
    panel = RunPanel(bench, task, "openai/large", concurrency=2)

    panel.act({"act": "run"})
    assert server.reached.wait(20)
    panel.act({"act": "stop"})
    until_done(panel)

    assert 0 < panel.state["missing"] < 20
    assert "Resume sends the rest" in panel.progress["said"]
    panel.act({"act": "resume"})
    until_done(panel)
    assert panel.state["missing"] == 0
    assert panel.progress["lanes"][0]["done"] == "20/20"
    assert server.calls.total() == 20


def test_failed_samples_are_shown_and_can_be_sent_again(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    panel = RunPanel(bench, task, "openai/absent")

    panel.act({"act": "run"})
    until_done(panel)

    assert panel.progress["lanes"][0]["status"] == "failed"
    assert "no such model" in panel.progress["errors"][0]
    assert panel.state["failed"] > 0


def test_running_the_cell_again_shows_the_run_and_pays_nothing(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    first = RunPanel(bench, task, "openai/large")
    experiment = first.start().wait(30)

    second = RunPanel(bench, task, "openai/large")

    assert second.state["phase"] == "done"
    assert second.experiment.id == experiment.id
    assert "Run shows it, and sends nothing" in second.state["known"]
    assert second.start().wait(30).id == experiment.id
    assert server.calls.total() == 20


def test_paying_again_is_asked_for_once(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    RunPanel(bench, task, "openai/large").start().wait(30)
    panel = RunPanel(bench, task, "openai/large", fresh=True)

    panel.start().wait(30)
    until_done(panel)
    panel.start().wait(30)

    assert server.calls.total() == 40
    assert panel.state["form"]["fresh"] is False


async def test_run_waits_for_the_button_that_was_pressed(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    panel = RunPanel(bench, task, "openai/large")
    panel.act({"act": "run"})

    experiment = await panel.run()

    assert experiment.complete
    assert server.calls.total() == 20


def test_a_panel_attaches_to_a_run_that_goes_on(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.05
    handle = bench.start(task, models="openai/large", concurrency=2)

    panel = RunPanel.attach(bench, handle.experiment_id)

    assert panel.state["phase"] == "running"
    assert panel.state["form"]["scorers"] == ["number"]
    until_done(panel)
    assert panel.progress["lanes"][0]["done"] == "20/20"


def test_a_new_process_attaches_from_the_store_and_resumes(
    bench: lab.Lab, task: Task, server: RecordedServer, store_url: str
) -> None:
    server.delay = 0.05
    server.notice_at = 6
    handle = bench.start(task, models="openai/large", concurrency=2)
    assert server.reached.wait(20)
    handle.cancel()
    handle.wait(20)
    bench.close()

    with lab.Lab.open(store_url) as again:
        panel = RunPanel.attach(again, handle.experiment_id)
        missing = panel.state["missing"]
        panel.act({"act": "resume"})
        until_done(panel)

    assert 0 < missing < 20
    assert panel.state["missing"] == 0
    assert server.calls.total() == 20


ELSEWHERE = """
import sys, aistrale_lab as lab
bench = lab.Lab.open(sys.argv[1])
task = lab.Task(dataset=lab.load_dataset("set.csv"), scorers=["number"])
handle = bench.start(task, "openai/large", concurrency=1)
print(handle.experiment_id, flush=True)
handle.wait()
bench.close()
"""


def test_a_panel_follows_and_stops_what_another_process_executes(
    bench: lab.Lab, server: RecordedServer, questions: Path, store_url: str
) -> None:
    server.delay = 0.3
    moved = threading.Event()
    seen: set[str] = set()

    def look(_: Any) -> None:
        seen.add(panel.progress["lanes"][0]["done"])
        if len(seen) > 2:
            moved.set()

    words = [sys.executable, "-c", ELSEWHERE, store_url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        panel = RunPanel.attach(bench, other.stdout.readline().strip())
        panel.observe(look)

        panel.act({"act": "run"})
        running = panel.progress["said"]
        assert moved.wait(60)
        panel.act({"act": "stop"})
        phase = panel.state["phase"]
        until_done(panel)

    assert running.startswith("Running in ") and f"{other.pid}" in running
    assert phase == "stopping"
    assert panel.progress["said"].startswith("Stopped: ")
    assert panel.progress["lanes"][0]["status"] == "interrupted"
    assert server.calls.total() < 20


def test_models_are_listed_searched_and_explained(
    bench: lab.Lab, server: RecordedServer
) -> None:
    panel = RunPanel(bench)
    listed = threading.Event()
    panel.observe(lambda _: panel.state["offered"] and listed.set(), "state")

    panel.act({"act": "list_models"})
    assert listed.wait(30)
    panel.act({"act": "search_models", "text": "OPENAI la"})

    assert panel.state["offered"] == ["openai/large"]
    assert "HF_TOKEN is not set" in panel.state["listing"]


def test_the_code_does_the_same_without_a_widget(
    bench: lab.Lab, server: RecordedServer, questions: Path, tmp_path: Path
) -> None:
    task = Task(
        dataset=lab.load_dataset(questions, limit=4),
        prompt=lab.PromptTemplate(user="{{ input }}", system='Be "brief".\nAlways.'),
        config=lab.GenerateConfig(max_tokens=9),
        sweep={"temperature": (0, 1)},
        scorers=["number", "sum=pattern:(\\d+)"],
        epochs=2,
    )
    panel = RunPanel(bench, task, "openai/large", retries=1, budget=None)
    code = panel.state["code"].replace("await bench.run(", "lab.wait(bench.run, ")
    bench.close()

    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(experiment.id); bench.close()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    with lab.Lab.open(bench.store_url) as again:
        made = again.experiment(ended.stdout.strip()).task
        assert made.parts() == task.parts()
        assert again.find(task, "openai/large") is not None
    assert "sk-loopback" not in code


def test_progress_is_one_small_message_a_look(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    seen: list[str] = []
    server.delay = 0.01
    panel = RunPanel(bench, task, ["openai/small", "openai/large"])
    panel.observe(lambda change: seen.append(str(change["new"])), "progress")

    panel.start().wait(30)
    until_done(panel)

    assert len(seen) < 12
    assert max(map(len, seen)) < 2_000


def test_what_models_and_datasets_say_is_text_in_the_static_twin(
    bench: lab.Lab, server: RecordedServer
) -> None:
    samples = tuple(Sample(id=p, input=p) for p in SCRIPTS)
    task = Task(
        dataset=Dataset(name=SCRIPTS[0], samples=samples), prompt=SCRIPTS[1] + "{{id}}"
    )
    panel = RunPanel(bench, task, "openai/absent")

    panel.start().wait(30)
    until_done(panel)
    found = check_inert(panel.static_html())

    assert SCRIPTS[0] in found.text


def test_the_static_twin_ends_with_the_summary(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    panel = RunPanel(bench, task, "openai/large")
    before = panel.static_html()

    panel.start().wait(30)
    until_done(panel)

    assert "20 calls" in before and "completed" not in before
    assert "completed" in panel.static_html()
    assert "number" in panel.static_html()
    assert panel.static_text().startswith("RunPanel doubles: Done: 20/20 answered.")
    bundle, _ = panel._repr_mimebundle_()
    assert set(bundle) == {
        "text/plain",
        "text/html",
        "application/vnd.jupyter.widget-view+json",
    }
