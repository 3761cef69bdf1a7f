"""Runs as the tables get them, and the true program in a folder of its own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.acted import ActedServer
from servers.shell import Shell

from aistrale_lab.cli import answer


def one_run(**fields: Any) -> dict[str, Any]:
    run = {
        "run_id": "01",
        "model": "openai/gpt-5-mini",
        "params": {},
        "status": "completed",
        "reason": None,
        "samples": 200,
        "completed": 200,
        "failed": 0,
        "metrics": {
            "number": {
                "value": 0.9,
                "ci_low": 0.8506,
                "ci_high": 0.9343,
                "n": 200,
                "method": "wilson",
            }
        },
        "denominators": {
            "number": {
                "binary": True,
                "if_failed_wrong": 0.9,
                "if_failed_right": 0.9,
            }
        },
        "usage": {"input_tokens": 12345, "output_tokens": 678, "unknown": 0},
        "cost_usd": 0.0123,
        "latency": {
            "duration_s": {"p50": 0.8, "p95": 1.9, "p99": 2.5},
            "time_to_first_token_s": {"p50": 0.21, "p95": 0.4, "p99": 0.5},
            "queue_s": {"p50": 0.0, "p95": 0.0, "p99": 0.0},
        },
        "tokens_per_s": 85.123,
        "errors": {},
    }
    return run | fields


@pytest.fixture
def make_run() -> Callable[..., dict[str, Any]]:
    return one_run


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "OPENAI_API_KEY": "sk-loopback",
    }
    return Shell(tmp_path, environment)


@pytest.fixture
def server(shell: Shell) -> Iterator[ActedServer]:
    with ActedServer() as server:
        shell.environment["OPENAI_BASE_URL"] = server.base_url
        yield server


@pytest.fixture
def call(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Calls the program within this one, which is ten times as fast."""
    monkeypatch.chdir(shell.folder)

    def answered(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AISTRALE_STORE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (shell.environment | environment).items():
            monkeypatch.setenv(name, value)
        code = answer(words)
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return answered
