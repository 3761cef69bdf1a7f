"""The real input: four models' real answers to 1,319 questions, over real HTTP."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.recorded import RecordedServer

RIGHT = {
    "6b_finetuning": 286,
    "6b_verification": 515,
    "175b_finetuning": 458,
    "175b_verification": 742,
}
QUESTIONS = 1_319
CONCURRENCY = 16


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> dict[tuple[str, str], str]:
    recorded = {}
    with (shared_data / "gsm8k_model_solutions.jsonl").open() as lines:
        for line in map(json.loads, lines):
            for model in RIGHT:
                recorded[model, line["question"]] = line[model]["solution"]
    return recorded


@pytest.fixture
def server(answers: dict[tuple[str, str], str]) -> Iterator[RecordedServer]:
    with RecordedServer(answers, delay=0.005) as server:
        yield server


def command(server: RecordedServer, folder: Path, *words: str) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AISTRALE_STORE": f"sqlite:///{folder}/store.db",
        "OPENAI_API_KEY": "sk-loopback",
        "OPENAI_BASE_URL": server.base_url,
        "HF_TOKEN": "hf_loopback",
        "HF_BASE_URL": server.base_url,
    }
    return {
        "args": [sys.executable, "-m", "aistrale_lab", *words],
        "env": environment,
        "cwd": folder,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def run_words(shared_data: Path, provider: str) -> list[str]:
    words = ["run", str(shared_data / "gsm8k_test.jsonl"), "--scorer", "number"]
    words += ["--input", "question", "--target", "answer", "--json"]
    words += ["--concurrency", str(CONCURRENCY)]
    for model in RIGHT:
        words += ["-m", f"{provider}/{model}"]
    return words


def right_answers(report: dict[str, Any]) -> dict[str, float]:
    return {
        run["model"].partition("/")[2]: run["metrics"]["number"]["value"]
        * run["metrics"]["number"]["n"]
        for run in report["runs"]
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("provider", ["openai", "huggingface"])
def test_the_four_models_score_exactly_as_published(
    server: RecordedServer, shared_data: Path, tmp_path: Path, provider: str
) -> None:
    words = run_words(shared_data, provider)

    ended = subprocess.run(**command(server, tmp_path, *words), timeout=280)

    assert ended.returncode == 0, ended.stderr
    assert right_answers(json.loads(ended.stdout)) == pytest.approx(RIGHT)
    assert server.calls.total() == QUESTIONS * len(RIGHT)


@pytest.mark.timeout(300)
def test_killed_half_way_and_resumed_they_score_the_same_and_pay_once(
    server: RecordedServer, shared_data: Path, tmp_path: Path
) -> None:
    server.notice_at = QUESTIONS * len(RIGHT) // 2
    first = subprocess.Popen(
        **command(server, tmp_path, *run_words(shared_data, "openai"))
    )
    assert server.reached.wait(200)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()

    listed = subprocess.run(**command(server, tmp_path, "runs", "--json"), timeout=60)
    experiment = json.loads(listed.stdout)[0]["experiment_id"]
    words = ["resume", experiment, "--json", "--concurrency", str(CONCURRENCY)]
    ended = subprocess.run(**command(server, tmp_path, *words), timeout=280)

    assert ended.returncode == 0, ended.stderr
    assert right_answers(json.loads(ended.stdout)) == pytest.approx(RIGHT)
    twice = [key for key, calls in server.calls.items() if calls > 1]
    assert len(twice) <= CONCURRENCY * len(RIGHT)
    assert max(server.calls.values()) <= 2
    assert len(server.calls) == QUESTIONS * len(RIGHT)
