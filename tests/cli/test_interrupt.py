"""Signals in the middle of a run."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
from servers.acted import ActedServer

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
CONCURRENCY = 4

Call = Callable[..., CompletedProcess[str]]


def slow_run(shell: Any, *words: str) -> list[str]:
    asked = ["run", shell.questions(200), "--scorer", "number", "--json"]
    return [*asked, "--concurrency", str(CONCURRENCY), *words]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_keeps_what_is_done_and_says_how_to_go_on(
    shell: Any, call: Call, server: ActedServer, number: int, code: int
) -> None:
    going = shell.start(*slow_run(shell, "-m", "openai/slow"))
    server.wait_for_calls(12)

    began = time.monotonic()
    going.send_signal(number)
    said, told = going.communicate(timeout=30)

    report = json.loads(said)
    run = report["runs"][0]
    assert going.returncode == code
    assert time.monotonic() - began < 5
    assert run["status"] == "interrupted"
    assert 8 <= run["completed"] < 200
    assert f"aistrale resume {report['experiment_id']}" in told
    assert "Traceback" not in told

    server.delay = 0
    again = call("resume", report["experiment_id"], "--json")
    run = json.loads(again.stdout)["runs"][0]

    assert again.returncode == 0, again.stderr
    assert (run["completed"], run["metrics"]["number"]["value"]) == (200, 1.0)
    twice = [question for question, calls in server.calls.items() if calls > 1]
    assert len(twice) <= CONCURRENCY


def test_calls_that_never_end_do_not_hold_a_signal_up(
    shell: Any, server: ActedServer
) -> None:
    going = shell.start(*slow_run(shell, "-m", "openai/stuck"))
    server.wait_for_calls(CONCURRENCY)

    began = time.monotonic()
    going.send_signal(signal.SIGINT)
    said, told = going.communicate(timeout=30)

    assert going.returncode == 130
    assert time.monotonic() - began < 5
    assert json.loads(said)["runs"][0]["completed"] == 0


def test_signals_again_and_again_only_make_it_faster(
    shell: Any, server: ActedServer
) -> None:
    going = shell.start(*slow_run(shell, "-m", "openai/stuck"))
    server.wait_for_calls(CONCURRENCY)

    began = time.monotonic()
    for _ in range(6):
        if going.poll() is None:
            going.send_signal(signal.SIGTERM)
    told = going.communicate(timeout=30)[1]

    assert going.returncode == 143
    assert time.monotonic() - began < 5
    assert "Traceback" not in told


def test_a_run_of_embedded_models_is_interrupted_with_its_server(shell: Any) -> None:
    words = ["run", shell.questions(20_000), "-m", "embedded/echo", "--json"]
    going = shell.start(*words)
    assert going.stderr is not None
    going.stderr.readline()

    going.send_signal(signal.SIGINT)
    said, told = going.communicate(timeout=30)

    assert going.returncode == 130, told
    assert 0 < json.loads(said)["runs"][0]["completed"] < 20_000


def test_a_signal_before_there_is_a_run_ends_at_once(
    shell: Any, server: ActedServer
) -> None:
    fifo = shell.folder / "questions.jsonl"
    os.mkfifo(fifo)
    going = shell.start("run", fifo.name, "-m", "openai/right")
    with fifo.open("w"):  # opened on both sides: the program reads it
        going.send_signal(signal.SIGTERM)
        told = going.communicate(timeout=30)[1]

    assert going.returncode == 143
    assert "Traceback" not in told
    assert not server.calls


class Screen:
    """The program on a terminal; `text` is what was shown so far."""

    def __init__(self, shell: Any, *words: str, columns: int = 100) -> None:
        near, far = pty.openpty()
        options = shell.options(*words, COLUMNS=str(columns), TERM="xterm-256color")
        streams = {"stdin": far, "stdout": far, "stderr": far}
        self.program = subprocess.Popen(**{**options, **streams, "text": False})
        os.close(far)
        self.near = near
        self.raw = b""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.raw.decode("utf-8", "replace"))

    def wait_for(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.text, 60), self.text

    def end(self) -> int:
        code = self.program.wait(60)
        self._reader.join()
        os.close(self.near)
        return code

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self.near, 65536)
            except OSError:  # the other side has gone
                found = b""
            with self._changed:
                self.raw += found
                self._changed.notify_all()
            if not found:
                return


def test_a_terminal_shows_the_lanes_live_and_the_table_at_the_end(
    shell: Any, server: ActedServer
) -> None:
    words = ["run", shell.questions(20), "-m", "openai/slow", "-m", "openai/picky"]
    screen = Screen(shell, *words, "--concurrency", "2", columns=160)
    screen.wait_for("in flight")
    screen.wait_for("left")
    code = screen.end()

    assert code == 3
    assert "\x1b[1A" in screen.raw.decode()
    assert "openai/picky: sample 7: InvalidRequestError" in screen.text
    assert "20/20 done" in screen.text
    assert "tokens/s" in screen.text
    assert "latency" in screen.text.rpartition("done")[2]


def test_ctrl_c_on_a_terminal_says_what_happens(
    shell: Any, server: ActedServer
) -> None:
    screen = Screen(shell, "run", shell.questions(200), "-m", "openai/slow")
    screen.wait_for("in flight")
    screen.program.send_signal(signal.SIGINT)
    code = screen.end()

    assert code == 130
    assert "stopping: what is done is kept; once more to stop now" in screen.text
    assert "to go on: aistrale resume" in screen.text


def test_a_narrow_terminal_gets_blocks_with_whole_names(
    shell: Any, server: ActedServer
) -> None:
    name = "openai/" + "n" * 90
    screen = Screen(shell, "run", shell.questions(1), "-m", name, columns=40)
    code = screen.end()

    blocks = screen.text.rpartition("completed")[2].split("\r\n")
    assert code == 0
    assert name in blocks
    assert any(line.startswith("  TTFT p50 ms") for line in blocks)
