"""The bench: run, come back, resume, and never pay twice unasked."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from servers.recorded import RecordedServer

import aistrale_lab as lab
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import (
    ConfigError,
    DatasetError,
    MissingKeyError,
    NotFoundError,
    PromptError,
    UnknownProviderError,
    UnknownScorerError,
    ValidationError,
)
from aistrale_lab.scorers.registry import SCORERS

BOTH = ["openai/small", "openai/large"]
PRICED = """
[prices."openai/large"]
input_mtok = 1000
output_mtok = 1000
"""


async def test_a_run_ends_in_one_row_per_sample_and_a_summary_per_model(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    experiment = await bench.run(task, models=BOTH)

    summary = experiment.summary_df().set_index("model")
    assert len(experiment.results_df()) == 40
    assert summary.loc["openai/large", "value"] == 1.0
    assert summary.loc["openai/small", "value"] == 0.05
    assert summary.loc["openai/small", "method"] == "wilson"
    assert server.calls.total() == 40
    assert [run.status for run in experiment.runs] == [RunStatus.COMPLETED] * 2


async def test_the_same_run_again_sends_nothing_and_says_so(
    bench: lab.Lab,
    task: Task,
    server: RecordedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = await bench.run(task, models=BOTH)

    second = await bench.run(task, models=BOTH)

    assert second.id == first.id
    assert server.calls.total() == 40
    assert "is finished: nothing is sent" in capsys.readouterr().err


async def test_fresh_pays_again(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    first = await bench.run(task, models="openai/large")

    second = await bench.run(task, models="openai/large", fresh=True)

    assert second.id != first.id
    assert server.calls.total() == 40


async def test_another_task_is_another_experiment(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    first = await bench.run(task, models="openai/large")

    second = await bench.run(
        task.model_copy(update={"epochs": 2}), models="openai/large"
    )

    assert second.id != first.id
    assert server.calls.total() == 60


def test_a_parameter_without_a_value_is_refused(bench: lab.Lab, task: lab.Task) -> None:
    swept = task.model_copy(update={"sweep": {"temperature": ()}})

    with pytest.raises(ConfigError, match="sweep.temperature: no value"):
        bench.start(swept, models=["openai/large"])


async def test_epochs_and_sweeps_multiply(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    swept = task.model_copy(update={"epochs": 2, "sweep": {"temperature": (0.0, 0.7)}})

    experiment = await bench.run(swept, models="openai/large")

    results = experiment.results_df()
    assert len(results) == 80
    assert sorted(results["param_temperature"].unique()) == [0.0, 0.7]
    assert len(experiment.runs) == 2


@pytest.mark.parametrize(
    ("models", "changes", "error", "message"),
    [
        (["nowhere/x"], {}, UnknownProviderError, "known providers: embedded"),
        (["large"], {}, ValidationError, "form provider/model"),
        ([], {}, ValidationError, "no model is named"),
        (["openai/a", "openai/a"], {}, ValidationError, "named twice: openai/a"),
        (["openai/../x"], {}, ValidationError, "not allowed"),
        (["huggingface/a/b"], {}, MissingKeyError, "HF_TOKEN is not set; without a"),
        (["openai/large"], {"scorers": ("exat",)}, UnknownScorerError, "exact"),
        (
            ["openai/large"],
            {"prompt": lab.PromptTemplate(user="{{ inptu }}")},
            PromptError,
            "'inptu' is undefined; fields: group, id, input",
        ),
        (
            ["openai/large"],
            {"sweep": {"temprature": (0,)}},
            ValidationError,
            "unknown parameter 'temprature'; known parameters: extra",
        ),
        (
            ["openai/large"],
            {"sweep": {"temperature": ("hot",)}},
            ValidationError,
            "temperature: ",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    bench: lab.Lab,
    task: Task,
    server: RecordedServer,
    models: list[str],
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        bench.start(task.model_copy(update=changes), models=models)

    assert server.calls.total() == 0
    assert bench.runs() == []


def test_unknown_options_are_refused_with_those_that_exist(
    bench: lab.Lab, task: Task
) -> None:
    with pytest.raises(ValidationError, match="unknown option parallel; known options"):
        bench.start(task, models=BOTH, parallel=4)


def test_a_scorer_that_needs_a_target_is_refused_on_samples_without(
    bench: lab.Lab,
) -> None:
    aimless = Dataset(name="aimless", samples=(Sample(id="a", input="Hello"),))

    with pytest.raises(DatasetError, match="needs a target"):
        bench.start(Task(dataset=aimless, scorers=("exact",)), models=BOTH)


@pytest.mark.parametrize("key", ["sk-SECRET\n", "sk-é", "sk-x\r\nX-Evil: 1", "a b"])
def test_a_key_that_cannot_go_into_a_header_is_refused_unseen(
    environment: None,
    store_url: str,
    task: Task,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with (
        lab.Lab.open(store_url) as bench,
        pytest.raises(ConfigError, match="OPENAI_API_KEY holds") as caught,
    ):
        bench.start(task, models=BOTH)

    assert key not in str(caught.value)


async def test_cancelling_keeps_what_is_done_and_a_resume_sends_the_rest(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.02
    server.notice_at = 6
    handle = bench.start(task, models="openai/large", concurrency=2)
    await asyncio.to_thread(server.reached.wait, 10)

    handle.cancel()
    stopped = await handle
    rows = len(stopped.results_df())
    resumed = await bench.resume(stopped.id)

    assert stopped.runs[0].status is RunStatus.COMPLETED  # the view is always current
    assert 0 < rows < 20
    assert len(resumed.results_df()) == 20
    assert server.calls.total() <= 20 + 2


async def test_running_the_same_cell_again_resumes_what_was_stopped(
    bench: lab.Lab,
    task: Task,
    server: RecordedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.delay = 0.02
    server.notice_at = 6
    handle = bench.start(task, models="openai/large", concurrency=2)
    await asyncio.to_thread(server.reached.wait, 10)
    handle.cancel()
    stopped = await handle

    again = await bench.run(task, models="openai/large", concurrency=2)

    assert again.id == stopped.id
    assert again.complete
    assert f"resuming experiment {stopped.id}" in capsys.readouterr().err


async def test_an_interrupted_await_stops_the_calls_within_a_second(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 30
    cell = asyncio.create_task(bench.run(task, models="openai/large", concurrency=4))
    await _until(lambda: server.in_flight == 4)

    cell.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await cell

    await _until(lambda: server.in_flight == 0)
    assert server.calls.total() == 4
    assert bench.runs()[0].status is RunStatus.INTERRUPTED


async def test_an_unfinished_experiment_does_not_silently_become_another(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 30
    handle = bench.start(task, models="openai/large", name="mine")
    handle.cancel()
    await handle
    changed = task.model_copy(
        update={"prompt": lab.PromptTemplate(user="Q: {{ input }}")}
    )

    with pytest.raises(ConfigError, match="differs in prompt; fresh=True"):
        bench.start(changed, models="openai/large", name="mine")


async def test_a_changed_dataset_file_is_noticed_on_resume(
    bench: lab.Lab, server: RecordedServer, tmp_path: Path
) -> None:
    path = tmp_path / "set.csv"
    path.write_text("input,target\nWhat is 1 + 1?,2\nWhat is 2 + 2?,4\n")
    task = Task(dataset=lab.load_dataset(path), scorers=("number",))
    server.delay = 30
    handle = bench.start(task, models="openai/large")
    handle.cancel()
    stopped = await handle
    path.write_text("input,target\nWhat is 1 + 1?,2\nWhat is 2 + 2?,5\n")

    with pytest.raises(ConfigError, match="changed since the run began"):
        bench.start_resume(stopped.id)


async def test_another_base_url_is_noticed_on_resume(
    bench: lab.Lab,
    task: Task,
    server: RecordedServer,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.delay = 30
    handle = bench.start(task, models="openai/large")
    handle.cancel()
    stopped = await handle
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    with (
        lab.Lab.open(store_url) as elsewhere,
        pytest.raises(ConfigError, match="base URL of openai/large changed"),
    ):
        elsewhere.start_resume(stopped.id)


async def test_the_budget_stops_the_run_before_it_is_overspent(
    environment: None, store_url: str, task: Task, tmp_path: Path
) -> None:
    (tmp_path / "aistrale.toml").write_text(PRICED)
    frugal = task.model_copy(update={"config": lab.GenerateConfig(max_tokens=5)})

    with lab.Lab.open(store_url) as bench:
        experiment = await bench.run(frugal, models="openai/large", budget="0.25")
        spent = [Decimal(repr(c)) for c in experiment.results_df()["cost_usd"]]

    assert experiment_status(store_url) == "interrupted"
    assert 0 < len(spent) < 20
    assert sum(spent) <= Decimal("0.25")


def experiment_status(store_url: str) -> str:
    with lab.Lab.open(store_url) as bench:
        assert "budget" in (bench.runs()[0].reason or "")
        return bench.runs()[0].status.value


def test_a_budget_without_a_price_or_a_bound_is_refused(
    environment: None, store_url: str, task: Task, tmp_path: Path
) -> None:
    (tmp_path / "aistrale.toml").write_text(PRICED)

    with lab.Lab.open(store_url) as bench:
        with pytest.raises(ConfigError, match="openai/small has none"):
            bench.start(task, models="openai/small", budget=1)
        with pytest.raises(ConfigError, match="set max_tokens"):
            bench.start(task, models="openai/large", budget=1)


async def test_answers_are_scored_again_without_a_call(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    experiment = await bench.run(task, models="openai/large")

    scored = await asyncio.to_thread(bench.score, experiment.id, ["exact", "length"])

    assert scored == 20
    assert server.calls.total() == 20
    assert experiment.results_df()["score_exact"].mean() == 1.0


async def test_a_stored_run_can_be_replayed_under_another_scorer(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    first = await bench.run(task, models="openai/large")
    again = task.model_copy(update={"scorers": ("exact",)})

    replayed = await bench.run(again, models=f"replay/{first.runs[0].id}")

    results = replayed.results_df()
    assert server.calls.total() == 20
    assert results["score_exact"].mean() == 1.0
    assert list(results["duration_s"]) == list(first.results_df()["duration_s"])


async def test_a_scorer_of_ones_own_that_raises_fails_its_score_alone(
    bench: lab.Lab, task: Task
) -> None:
    @lab.scorer(name="moody_for_this_test")
    def moody(sample: lab.Sample, completion: lab.Completion) -> float:
        if completion.text == "4":
            raise RuntimeError("not four again")
        return 1.0

    scored = task.model_copy(update={"scorers": ("moody_for_this_test", "number")})
    try:
        experiment = await bench.run(scored, models="openai/large")
    finally:
        SCORERS.remove("moody_for_this_test")

    results = experiment.results_df()
    assert results["score_moody_for_this_test"].notna().sum() == 19
    assert results["score_number"].mean() == 1.0
    assert experiment.complete


def test_two_processes_cannot_execute_one_run(
    bench: lab.Lab, task: Task, server: RecordedServer, store_url: str
) -> None:
    server.delay = 30
    handle = bench.start(task, models="openai/large")
    code = (
        "import aistrale_lab as lab, sys\n"
        "with lab.Lab.open(sys.argv[1]) as bench:\n"
        "    try: bench.start_resume(sys.argv[2])\n"
        "    except lab.LabError as error: print(type(error).__name__, error)\n"
    )

    words = [sys.executable, "-c", code, store_url, handle.experiment_id]
    other = subprocess.run(words, capture_output=True, text=True, timeout=60)
    handle.cancel()
    handle.wait(10)

    assert f"StoreError run {bench.runs()[0].id} is being executed by" in other.stdout
    assert str(os.getpid()) in other.stdout


def test_unknown_ids_are_not_found(bench: lab.Lab) -> None:
    with pytest.raises(NotFoundError, match="no experiment 'zzz'"):
        bench.experiment("zzz")
    with pytest.raises(NotFoundError, match="no run 'zzz'"):
        bench.start_resume("zzz")


async def test_closing_leaves_no_thread_behind(
    environment: None, store_url: str, task: Task
) -> None:
    before = threading.active_count()
    bench = lab.Lab.open(store_url)
    await bench.run(task, models="openai/large")

    bench.close()

    assert threading.active_count() == before


async def test_the_callers_loop_is_left_as_it_is(bench: lab.Lab, task: Task) -> None:
    methods = (asyncio.run, asyncio.get_event_loop, asyncio.BaseEventLoop.run_forever)

    await bench.run(task, models="openai/large")

    now = (asyncio.run, asyncio.get_event_loop, asyncio.BaseEventLoop.run_forever)
    assert now == methods


def test_the_synchronous_door_runs_a_task(bench: lab.Lab, task: Task) -> None:
    experiment = lab.wait(bench.run, task, models=["openai/large"])

    assert experiment.complete


async def test_no_key_is_in_store_log_or_export(
    environment: None,
    store_url: str,
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-PLANTEDplantedPLANTED")

    with lab.Lab.open(store_url) as bench:
        experiment = await bench.run(task, models=["openai/large", "openai/missing"])
        bench.export(experiment.id, tmp_path / "out.jsonl")

    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"sk-PLANTED" not in path.read_bytes(), path


SCRIPT = """
import aistrale_lab as lab, sys
bench = lab.Lab.open(sys.argv[1])
task = lab.Task(dataset=lab.load_dataset(sys.argv[2]))
try:
    lab.wait(bench.run, task, models=["openai/large"], concurrency=2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
bench.close()
"""


def test_an_interrupted_script_stops_and_says_how_to_go_on(
    environment: None, server: RecordedServer, store_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "set.csv"
    path.write_text("input\n" + "".join(f"What is {n} + {n}?\n" for n in range(1, 21)))
    server.delay = 30
    server.notice_at = 2
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, store_url, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.reached.wait(30)

    os.kill(child.pid, signal.SIGINT)
    said, told = child.communicate(timeout=20)

    assert said == "interrupted\n"
    assert "aistrale resume" in told


async def test_provenance_is_kept_with_the_experiment(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    experiment = await bench.run(task, models="openai/large", tags={"team": "a"})

    record = experiment.record
    assert record.provenance["packages"]["openai"]
    assert {"git_commit", "git_dirty", "host", "user"} <= set(record.provenance)
    assert record.tags == {"team": "a"}
    assert experiment.runs[0].base_url == server.base_url
    assert record.dataset == task.dataset.fingerprint


async def _until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


async def test_models_may_be_asked_one_after_the_other(
    bench: lab.Lab, task: Task, server: RecordedServer
) -> None:
    server.delay = 0.02

    experiment = await bench.run(
        task, models=["openai/small", "openai/large"], concurrency=2, models_at_once=1
    )

    frame = experiment.results_df()
    ends = frame.groupby("model")["started_at"].agg(["min", "max"])
    assert experiment.complete
    assert server.peak <= 2
    assert ends["max"]["openai/small"] <= ends["min"]["openai/large"]


async def test_the_price_that_was_counted_is_kept_with_the_run(
    bench: lab.Lab, task: Task
) -> None:
    known = await bench.run(task, models=["embedded/echo"], name="known")
    unknown = await bench.run(task, models=["openai/small"], name="unknown")

    (price,) = (run.price for run in known.runs)
    assert price is not None
    assert (price["source"], price["input_mtok"]) == ("embedded", "0")
    assert [run.price for run in unknown.runs] == [None]


async def test_a_comparison_reads_what_is_stored_of_both_runs(
    bench: lab.Lab, task: Task
) -> None:
    experiment = await bench.run(task, models=["openai/small", "openai/large"])
    small, large = experiment.runs

    found = bench.compare(small.id[:12], large)

    number = found.metric("number")
    assert (number.baseline, number.candidate) == (0.05, 1.0)
    assert (found.pairs, found.warnings) == (20, ())
    assert len(found.flipped) == 19
    assert experiment.leaderboard().tied == ("openai/large",)
    assert bench.compare(large, small).metric("number").paired.losses == 19
