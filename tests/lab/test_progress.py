"""What is seen of a run while it goes on."""

import os
import pty
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from datetime import UTC, datetime
from decimal import Decimal
from typing import TextIO

import pytest

import aistrale_lab as lab
from aistrale_lab.domain.chat import Completion, FinishReason, Usage
from aistrale_lab.domain.runs import RunStatus, SampleResult
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.lab.progress import (
    LineDisplay,
    LiveDisplay,
    Silence,
    facts,
    make_display,
)

LONG = "huggingface/" + "o" * 60 + "/" + "n" * 60
SGR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def lane(**fields: object) -> LaneProgress:
    made = LaneProgress(run_id="01", model="openai/small", params="", total=100)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def answer(cost: str | None = None) -> SampleResult:
    return SampleResult(
        run_id="01",
        sample_id="7",
        completion=Completion(
            text="4",
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=5, output_tokens=20),
        ),
        cost=None if cost is None else Decimal(cost),
        started_at=datetime.now(UTC),
    )


def failure(message: str = "too many") -> SampleResult:
    return SampleResult(
        run_id="01",
        sample_id="8",
        error_type="RateLimitError",
        error=message,
        started_at=datetime.now(UTC),
    )


def test_a_lane_says_what_one_wants_to_know() -> None:
    busy = lane(status=RunStatus.RUNNING, skipped=10, in_flight=16)
    busy.began -= 10
    for _ in range(30):
        busy.add(answer("0.001"))
    busy.add(failure())

    said = facts(busy)

    assert said[:3] == ["41/100 done", "1 failed", "16 in flight"]
    assert said[4] == "$0.031" or said[4] == "$0.030"
    assert said[3].endswith("tokens/s")
    assert said[5].endswith("s left")


def test_a_lane_that_has_to_wait_says_so() -> None:
    waiting = lane(status=RunStatus.RUNNING, rate_limited=lambda: 11.2)

    assert facts(waiting) == ["0/100 done", "rate limited: waits 12 s"]


def test_a_lane_that_has_ended_says_why() -> None:
    dead = lane(status=RunStatus.FAILED, reason="AuthenticationError: wrong key")

    assert facts(dead)[-1] == "failed: AuthenticationError: wrong key"


def test_plain_lines_come_when_they_are_due_and_once_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = lane(status=RunStatus.RUNNING)
    display = LineDisplay([busy], every=3600)

    display.update()
    early = capsys.readouterr().err
    busy.status = RunStatus.COMPLETED
    display.update()
    display.close()

    assert early == ""
    assert capsys.readouterr().err == "openai/small: 0/100 done · completed\n"


def test_plain_lines_name_the_first_errors_and_count_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = lane(status=RunStatus.RUNNING)
    display = LineDisplay([busy], every=3600)

    for _ in range(4):
        busy.add(failure("first\nline \x1b[2J"))
        busy.add(failure())
        display.update()

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "openai/small: sample 8: RateLimitError: first line \\x1b[2J"
    assert len(lines) == 6
    assert lines[-1] == "openai/small: further errors are counted and logged"


def test_errors_that_a_resumed_run_had_before_are_not_told_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    busy = lane(status=RunStatus.RUNNING)
    busy.add(failure())

    LineDisplay([busy], every=3600).update()

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_without_a_terminal_nothing_is_redrawn(quiet: bool) -> None:
    display = make_display([lane()], quiet=quiet)

    assert isinstance(display, Silence if quiet else LineDisplay)


class Terminal:
    """A terminal of 60 columns and 12 lines that stands in for standard error."""

    END = "<end>"

    def __init__(self) -> None:
        self._near, far = pty.openpty()
        self.screen: TextIO = os.fdopen(far, "w", encoding="utf-8")

    def seen(self) -> str:
        self.screen.write(self.END)
        self.screen.flush()
        found = b""
        while not found.endswith(self.END.encode()):
            found += os.read(self._near, 1 << 16)
        return found.decode().removesuffix(self.END)

    def close(self) -> None:
        self.screen.close()
        os.close(self._near)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")
    made = Terminal()
    yield made
    made.close()


def test_on_a_terminal_lanes_are_redrawn_in_place(terminal: Terminal) -> None:
    busy = lane(status=RunStatus.RUNNING, in_flight=3)

    with redirect_stderr(terminal.screen):
        display = make_display([busy], quiet=False)
        display.update()
        busy.add(answer())
        display.update()
        display.close()

    seen = terminal.seen()
    plain = SGR.sub("", seen)
    assert isinstance(display, LiveDisplay)
    assert "\x1b[1A" in seen or "\x1b[2K" in seen
    assert "0/100 done" in plain
    assert "1/100 done" in plain


def test_a_long_name_is_shown_whole_on_a_narrow_terminal(
    terminal: Terminal,
) -> None:
    with redirect_stderr(terminal.screen):
        display = LiveDisplay([lane(model=LONG)])
        display.close()

    plain = SGR.sub("", terminal.seen())
    assert LONG in "".join(plain.split())


def test_more_lanes_than_the_screen_holds_are_counted(
    terminal: Terminal,
) -> None:
    lanes = [lane(run_id=str(n), model=f"openai/m{n}") for n in range(30)]
    lanes[0].status = RunStatus.COMPLETED

    with redirect_stderr(terminal.screen):
        display = LiveDisplay(lanes)
        display.close()

    plain = SGR.sub("", terminal.seen())
    assert "and 25 more" in plain
    assert "openai/m1 " in plain or "openai/m1\r" in plain
    assert "openai/m0" not in plain


def test_errors_stand_above_the_lanes(terminal: Terminal) -> None:
    busy = lane(status=RunStatus.RUNNING)
    with redirect_stderr(terminal.screen):
        display = LiveDisplay([busy])
        busy.add(failure("\x1b]52;c;ZXZpbA==\x07"))
        display.update()
        display.say("stopping")
        display.close()

    seen = terminal.seen()
    assert "\x1b]52" not in seen
    assert "\\x1b]52;c;ZXZpbA==\\x07" in SGR.sub("", seen).replace("\r\n", "")
    assert "stopping" in seen


async def test_a_run_that_is_awaited_is_drawn_on_a_terminal_and_nowhere_else(
    bench: lab.Lab,
    task: lab.Task,
    terminal: Terminal,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await bench.run(task, "openai/large", name="unseen")
    unseen = capsys.readouterr().err

    with redirect_stderr(terminal.screen):
        await bench.run(task, "openai/large", name="seen")

    assert unseen == ""
    assert "20/20 done" in SGR.sub("", terminal.seen())
