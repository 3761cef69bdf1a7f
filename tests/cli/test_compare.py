"""`compare`: two runs of one prompt set, in words, as JSON, and as a gate."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from servers.shell import Shell

pytestmark = pytest.mark.xdist_group("compare")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the runs of three models on a few sums, and their ids."""
    folder = tmp_path_factory.mktemp("asked")
    shell = Shell(folder, {"PATH": os.environ["PATH"], "HOME": str(folder)})
    models = ["calculator", "constant", "mini"]
    words = [word for name in models for word in ("-m", f"embedded/{name}")]
    lines = [
        {"input": f"What is {n} + {n}? Give only the number.", "target": str(2 * n)}
        for n in range(10, 50)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "sums.jsonl").write_text(text)
    ended = shell.run("run", "sums.jsonl", *words, "--scorer", "exact", "--json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)["runs"]
    return folder, {
        run["model"].removeprefix("embedded/"): run["run_id"] for run in found
    }


@pytest.fixture
def runs(shell: Any, asked: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """The ids of the runs, in a store of the test's own, by model."""
    shutil.copytree(asked[0], shell.folder, dirs_exist_ok=True)
    return asked[1]


def test_the_table_tells_differences_and_a_verdict(call: Any, runs: Any) -> None:
    ended = call("compare", runs["constant"], runs["calculator"])

    assert ended.returncode == 0, ended.stderr
    assert "+100.0 points" in ended.stdout
    assert all(
        name in ended.stdout for name in ("latency", "TTFT", "tokens out", "cost")
    )
    assert (
        "embedded/calculator scores higher than embedded/constant on exact"
        in ended.stdout
    )


def test_the_json_is_that_of_the_contract(call: Any, runs: Any) -> None:
    ended = call("compare", runs["constant"], runs["calculator"], "--json")

    found = json.loads(ended.stdout)
    exact = found["metrics"]["exact"]
    assert (found["baseline"], found["candidate"]) == (
        runs["constant"],
        runs["calculator"],
    )
    assert (found["pairs"], set(found["dropped"].values())) == (40, {0})
    assert (exact["difference"], exact["wins"], exact["losses"]) == (1.0, 40, 0)
    assert exact["tests"]["mcnemar"]["p_value"] == 2 * 0.5**40


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (["exact > 0"], 0),
        (["exact > 0", "exact >= 0.999"], 1),
        (["exact < 0"], 1),
    ],
)
def test_a_gate_that_is_not_met_is_exit_code_1(
    call: Any, runs: Any, gates: list[str], code: int
) -> None:
    words = [word for gate in gates for word in ("--require", gate)]

    ended = call("compare", runs["constant"], runs["calculator"], *words)

    assert ended.returncode == code
    assert ("is not met" in ended.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing", "nothing"], "there is no run"),
        (["", ""], "no run is named"),
        (["{calculator}", "{mini}", "--require", "exact"], "is no gate"),
        (["{calculator}", "{mini}", "--require", "speed > 1"], "nothing named 'speed'"),
    ],
)
def test_bad_words_are_exit_code_2(
    call: Any, runs: Any, words: list[str], told: str
) -> None:
    ended = call("compare", *(word.format(**runs) for word in words))

    assert ended.returncode == 2
    assert told in ended.stderr


def test_runs_of_other_prompts_are_not_paired_unless_told(call: Any, runs: Any) -> None:
    other = call(
        *("run", "sums.jsonl", "-m", "embedded/mini", "--scorer", "exact"),
        *("--prompt", "Please: {{ input }}", "--json"),
    )
    run_id = json.loads(other.stdout)["runs"][0]["run_id"]

    refused = call("compare", runs["mini"], run_id)
    forced = call("compare", runs["mini"], run_id, "--anyway")

    assert refused.returncode == 2
    assert "another prompt" in refused.stderr
    assert forced.returncode == 0
    assert "the runs have another prompt" in forced.stderr


def test_the_leaderboard_says_who_may_be_the_best(
    call: Any, runs: dict[str, str]
) -> None:
    listed = json.loads(call("runs", "--json").stdout)
    experiment = listed[0]["experiment_id"]

    shown = call("leaderboard", experiment)
    found = json.loads(call("leaderboard", experiment, "--json").stdout)

    best = found["tied"][0]
    assert shown.returncode == 0, shown.stderr
    assert f"{best} is " in shown.stdout
    assert {run["run_id"] for run in found["runs"]} == set(runs.values())
    assert found["runs"][-1]["model"] == "embedded/constant"
    assert len(found["pairs"]) == 3
    assert all(pair["p_holm"] >= pair["p_value"] for pair in found["pairs"])


def test_an_unknown_metric_is_exit_code_2(call: Any, runs: dict[str, str]) -> None:
    listed = json.loads(call("runs", "--json").stdout)

    ended = call("leaderboard", listed[0]["experiment_id"], "--metric", "beauty")

    assert ended.returncode == 2
    assert "exact" in ended.stderr


def test_a_plan_says_what_a_run_would_take_and_show(
    call: Any, runs: dict[str, str]
) -> None:
    words = ["plan", "sums.jsonl", "-m", "embedded/mini", "--effect", "0.1"]

    guessed = call(*words)
    told = call(*words, "--pilot", runs["mini"], "--json")

    assert guessed.returncode == 0, guessed.stderr
    assert "40 samples show a difference of" in guessed.stdout
    assert "10.0 points need 234" in guessed.stdout
    assert "name them with --pilot RUN" in guessed.stderr
    (lane,) = json.loads(told.stdout)["lanes"]
    assert lane["calls"] == 40
    assert lane["seconds"]["expected"] > 0


def test_a_plan_is_scored_after_the_run(call: Any, runs: dict[str, str]) -> None:
    ended = call("plan", "--score", runs["mini"])

    assert ended.returncode == 0, ended.stderr
    assert "input_tokens" in ended.stdout


def test_a_plan_of_nothing_is_exit_code_2(call: Any) -> None:
    ended = call("plan")

    assert ended.returncode == 2
    assert "or --score RUN" in ended.stderr
