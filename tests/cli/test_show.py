"""`runs`, `show`, `score` and `export`."""

import csv
import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

from servers.acted import ActedServer

Call = Callable[..., CompletedProcess[str]]


def made(shell: Any, call: Call, *words: str, questions: int = 8) -> dict[str, Any]:
    """What a run of the prompt set printed as JSON."""
    ended = call("run", shell.questions(questions), "--json", *words)
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def test_runs_are_listed_newest_first(
    shell: Any, call: Call, server: ActedServer
) -> None:
    made(shell, call, "-m", "openai/right", "--name", "first")
    made(shell, call, "-m", "openai/picky", "--name", "second")
    listed = json.loads(call("runs", "--json").stdout)

    assert [run["name"] for run in listed] == ["second", "first"]
    assert listed[0].keys() >= {
        "run_id",
        "experiment_id",
        "name",
        "model",
        "status",
        "samples",
        "completed",
        "failed",
        "created_at",
    }
    assert (listed[0]["model"], listed[0]["failed"]) == ("openai/picky", 1)
    assert len(json.loads(call("runs", "--json", "--limit", "1").stdout)) == 1
    assert listed[0]["run_id"] in call("runs").stdout


def test_an_empty_store_lists_nothing(call: Call) -> None:
    ended = call("runs", "--json")

    assert (ended.returncode, ended.stdout) == (0, "[]\n")


def test_show_gives_settings_summary_and_answers(
    shell: Any, call: Call, server: ActedServer
) -> None:
    words = ["-m", "openai/picky", "--param", "seed=7", "--scorer", "number"]
    run = made(shell, call, *words)["runs"][0]
    shown = call("show", run["run_id"], "--limit", "1")
    failed = call("show", run["run_id"], "--failed")

    assert shown.returncode == 0
    assert server.base_url in shown.stdout
    assert "seed=7" in shown.stdout
    assert "  input   What is 1 and 100 ?\n" in shown.stdout
    assert "  output  101\n" in shown.stdout
    assert "  scores  number 1\n" in shown.stdout
    assert "What is 2" not in shown.stdout
    assert "7 more" in shown.stderr
    assert "InvalidRequestError: " in failed.stdout
    assert "What is 1 and" not in failed.stdout


def test_show_prints_the_object_of_a_run_and_a_list_for_an_experiment(
    shell: Any, call: Call, server: ActedServer
) -> None:
    report = made(shell, call, "-m", "openai/right", "-m", "openai/picky")
    one = json.loads(call("show", report["runs"][1]["run_id"], "--json").stdout)
    all_of = json.loads(call("show", report["experiment_id"], "--json").stdout)

    assert one.items() >= report["runs"][1].items()
    assert one["base_url"] == server.base_url
    assert [run["model"] for run in all_of] == ["openai/right", "openai/picky"]


PAYLOADS = ["\x1b]52;c;ZXZpbA==\x07", "\x1b[2J", "safe\u202egpj.exe", "\x9b31m"]
PAYLOADS += ["\x1b]8;;http://evil\x07ok\x1b]8;;\x07", "a\rb", "[bold]x[/bold]"]


def test_what_a_model_says_cannot_move_the_cursor(
    shell: Any, call: Call, server: ActedServer
) -> None:
    server.text = " and ".join(PAYLOADS)
    run = made(shell, call, "-m", "openai/loud", questions=1)["runs"][0]
    shown = call("show", run["run_id"], FORCE_COLOR="1")

    line = next(x for x in shown.stdout.splitlines() if x.startswith("  output"))
    assert not set(line) & set("\x1b\x07\x9b\u202e\r")
    assert "[bold]x[/bold]" in line
    assert "safe\\u202egpj.exe" in line


def test_a_long_answer_is_shortened_on_the_screen(
    shell: Any, call: Call, server: ActedServer
) -> None:
    server.text = "word\n" * 2_000
    run = made(shell, call, "-m", "openai/loud", questions=1)["runs"][0]
    shown = call("show", run["run_id"])

    assert "more characters)" in shown.stdout
    assert len(shown.stdout) < 4_000


def test_answers_are_scored_again_without_a_call(
    shell: Any, call: Call, server: ActedServer
) -> None:
    report = made(shell, call, "-m", "openai/right", "-m", "openai/refused")
    before = server.calls.total()
    words = ["score", report["runs"][0]["run_id"], "--scorer", "number"]
    ended = call(*words, "--scorer", "one=pattern:^1", "--json")

    run = json.loads(ended.stdout)["runs"][0]
    assert ended.returncode == 0, ended.stderr
    assert run["metrics"].keys() == {"number", "one"}
    assert run["metrics"]["number"]["value"] == 1.0
    assert server.calls.total() == before


def test_results_are_exported_with_formulas_defused(
    shell: Any, call: Call, server: ActedServer
) -> None:
    server.text = "=cmd|' /C calc'!A0"
    report = made(shell, call, "-m", "openai/loud", questions=2)
    tame = call("export", report["experiment_id"], "tame.csv")
    raw = call("export", report["experiment_id"], "raw.csv", "--raw", "--json")

    outputs = {}
    for name in ("tame", "raw"):
        with (shell.folder / f"{name}.csv").open(newline="") as file:
            outputs[name] = [row["output"] for row in csv.DictReader(file)]
    assert (tame.returncode, tame.stdout) == (0, "")
    assert "2 rows written to tame.csv" in tame.stderr
    assert json.loads(raw.stdout) == {"file": "raw.csv", "rows": 2}
    assert outputs == {"tame": ["'" + server.text] * 2, "raw": [server.text] * 2}


def test_an_export_into_a_folder_that_is_absent_is_explained(
    shell: Any, call: Call, server: ActedServer
) -> None:
    report = made(shell, call, "-m", "openai/right", questions=1)
    ended = call("export", report["experiment_id"], "no/such/file.csv")

    assert ended.returncode in (2, 5)
    assert "no/such" in ended.stderr
    assert "Traceback" not in ended.stderr
