"""`run` and `resume` as a user calls them: the true program over true HTTP."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
from servers.acted import ActedServer

from aistrale_lab.cli.ending import explain_scores

Call = Callable[..., CompletedProcess[str]]

RUN_KEYS = {
    "run_id",
    "model",
    "status",
    "samples",
    "completed",
    "failed",
    "metrics",
    "usage",
    "cost_usd",
    "latency",
    "errors",
}


def test_a_run_ends_with_the_table(shell: Any, server: ActedServer) -> None:
    words = ["run", shell.questions(12), "-m", "openai/right", "--scorer", "number"]
    ended = shell.run(*words)

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert lines[-1].split()[:2] == ["openai/right", "100.0"]
    assert "12/12" in lines[-1]
    assert len(server.calls) == 12


def test_the_json_object_is_that_of_the_contract(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(5), "-m", "openai/right", "-m", "openai/picky"]
    ended = call(*words, "--scorer", "number", "--epochs", "2", "--json")

    said = json.loads(ended.stdout)
    right, picky = said["runs"]
    assert said.keys() == {"experiment_id", "store", "runs"}
    assert said["store"] == "sqlite:///aistrale.db"
    assert RUN_KEYS <= right.keys()
    assert (right["model"], picky["model"]) == ("openai/right", "openai/picky")
    assert (right["samples"], right["completed"], right["failed"]) == (10, 10, 0)
    assert right["metrics"]["number"].keys() == {
        "value",
        "ci_low",
        "ci_high",
        "n",
        "method",
    }
    assert right["usage"]["input_tokens"] == 120
    assert right["latency"].keys() == {
        "duration_s",
        "time_to_first_token_s",
        "queue_s",
    }
    assert right["latency"]["duration_s"].keys() == {"p50", "p95", "p99"}
    assert right["latency"]["time_to_first_token_s"]["p50"] > 0
    assert right["errors"] == {}


def test_failed_samples_are_told_and_end_with_3(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(8), "-m", "openai/picky", "--scorer", "number"]
    ended = call(*words, "--json")

    run = json.loads(ended.stdout)["runs"][0]
    assert ended.returncode == 3
    assert (run["status"], run["completed"], run["failed"]) == ("completed", 7, 1)
    assert run["errors"] == {"InvalidRequestError": 1}
    assert run["metrics"]["number"]["n"] == 7
    assert "1 of 8 samples failed (InvalidRequestError 1)" in ended.stderr
    assert "--failed" in ended.stderr


def test_a_dead_lane_counts_what_it_left_unsent_as_failed(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(50), "-m", "openai/refused", "-m", "openai/right"]
    ended = call(*words, "--concurrency", "2", "--json")

    refused, right = json.loads(ended.stdout)["runs"]
    assert ended.returncode == 3
    assert (refused["status"], refused["failed"]) == ("failed", 50)
    assert sum(refused["errors"].values()) <= 3
    assert (right["status"], right["completed"]) == ("completed", 50)
    assert "AuthenticationError" in ended.stderr
    assert "sk-loopback" not in ended.stderr


def test_a_run_that_was_spoilt_is_resumed(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(10), "-m", "openai/down", "--retries", "0"]
    first = call(*words, "--scorer", "number", "--json")
    run = json.loads(first.stdout)["runs"][0]
    again = call("resume", run["run_id"], "--retries", "0", "--json")

    assert (first.returncode, again.returncode) == (3, 3)
    assert set(server.calls.values()) == {2}
    assert json.loads(again.stdout)["runs"][0]["failed"] == 10


def test_resume_gives_the_same_object_when_nothing_is_missing(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(4), "-m", "openai/right", "--scorer", "number"]
    first = call(*words, "--json")
    again = call("resume", json.loads(first.stdout)["experiment_id"], "--json")

    assert again.returncode == 0
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert server.calls.total() == 4


def test_resuming_one_run_speaks_of_that_run_alone(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(4), "-m", "openai/picky", "-m", "openai/refused"]
    first = json.loads(call(*words, "--limit", "3", "--json").stdout)
    again = call("resume", first["runs"][0]["run_id"][:10], "--json")

    assert again.returncode in (0, 2)
    again = call("resume", first["runs"][0]["run_id"], "--json")
    assert again.returncode == 0
    assert [r["model"] for r in json.loads(again.stdout)["runs"]] == ["openai/picky"]


def test_a_budget_that_is_spent_ends_with_4(
    shell: Any, call: Call, server: ActedServer
) -> None:
    (shell.folder / "aistrale.toml").write_text(
        '[prices."openai/right"]\ninput_mtok = 1000\noutput_mtok = 1000\n'
    )
    words = ["run", shell.questions(40), "-m", "openai/right", "--concurrency", "1"]
    words += ["--param", "max_tokens=10", "--budget", "0.5", "--json"]
    ended = call(*words)

    run = json.loads(ended.stdout)["runs"][0]
    assert ended.returncode == 4, ended.stderr
    assert run["status"] == "interrupted"
    assert 0 < run["completed"] < 40
    assert 0 < run["cost_usd"] <= 0.5
    assert "budget of 0.5 USD" in ended.stderr


def test_a_sweep_gives_a_run_for_each_value(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(2), "-m", "openai/right", "--scorer", "number"]
    ended = call(*words, "--param", "temperature=0,0.7", "--param", "seed=7")

    heading = ended.stdout.splitlines()[1].split()
    assert ended.returncode == 0, ended.stderr
    assert heading[:2] == ["model", "temperature"]
    assert [line.split()[1] for line in ended.stdout.splitlines()[3:]] == ["0", "0.7"]


def test_a_run_has_the_name_that_it_was_given(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["run", shell.questions(2), "-m", "openai/right", "--tag", "who=me"]
    ended = call(*words, "--name", "two words")

    listed = json.loads(call("runs", "--json").stdout)
    assert ended.returncode == 0, ended.stderr
    assert listed[0]["name"] == "two words"


def test_answers_without_a_score_are_told(
    make_run: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(completed=200, params={"seed": 7})
    run["metrics"]["number"]["n"] = 198

    code = explain_scores([run], ["number"])

    told = "openai/gpt-5-mini seed=7: 2 answers could not be scored by number\n"
    assert (code, capsys.readouterr().err) == (3, told)


def test_answers_of_another_model_are_told(
    shell: Any, call: Call, server: ActedServer
) -> None:
    ended = call("run", shell.questions(3), "-m", "openai/impostor", "--json")

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["runs"][0]["flags"]["model_differs"] == 3
    assert "3 answers came from another model than was asked for" in ended.stderr


def test_quiet_shows_the_table_and_nothing_else(
    shell: Any, call: Call, server: ActedServer
) -> None:
    ended = call("run", shell.questions(2), "-m", "openai/right", "--quiet")

    assert "openai/right" in ended.stdout
    assert ended.stderr == ""


def test_progress_never_stands_on_standard_output(
    shell: Any, call: Call, server: ActedServer
) -> None:
    ended = call("run", shell.questions(2), "-m", "openai/right", "--json")

    json.loads(ended.stdout)
    assert "openai/right: 2/2 done" in ended.stderr


def test_names_are_whole_when_piped_at_40_columns(
    shell: Any, call: Call, server: ActedServer
) -> None:
    name = "openai/" + "n" * 150
    ended = call("run", shell.questions(1), "-m", name, COLUMNS="40")

    assert ended.stdout.splitlines()[-1].startswith(f"{name} ")


def test_a_damaged_store_ends_with_5_and_is_left_as_it_is(
    shell: Any, call: Call, server: ActedServer
) -> None:
    file = shell.folder / "broken.db"
    file.write_bytes(b"no database at all" * 100)
    words = ["--store", "sqlite:///broken.db"]
    ended = call("run", shell.questions(1), "-m", "openai/right", *words)

    assert ended.returncode == 5
    assert ended.stderr.startswith("aistrale: ")
    assert "Traceback" not in ended.stderr
    assert file.read_bytes() == b"no database at all" * 100
    assert not server.calls


def test_a_newer_store_ends_with_5(shell: Any, call: Call, server: ActedServer) -> None:
    call("run", shell.questions(1), "-m", "openai/right")
    with sqlite3.connect(shell.folder / "aistrale.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    ended = call("runs")

    assert ended.returncode == 5
    assert "newer" in ended.stderr


def test_standard_output_that_is_full_ends_with_5(
    shell: Any, server: ActedServer
) -> None:
    with open("/dev/full", "w") as full:
        options = shell.options("run", shell.questions(1), "-m", "openai/right")
        ended = subprocess.run(timeout=60, **(options | {"stdout": full}))

    assert ended.returncode == 5
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_gone_is_no_fault(shell: Any, server: ActedServer) -> None:
    going = shell.start("run", shell.questions(3), "-m", "openai/right")
    assert going.stdout is not None and going.stderr is not None
    going.stdout.close()
    said = going.stderr.read()
    going.stderr.close()

    assert going.wait(60) == 0
    assert "Traceback" not in said
    assert "Broken" not in said
