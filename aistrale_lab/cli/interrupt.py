"""Signals in the middle of a run: stop, keep what is done, say how to go on."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from aistrale_lab.cli.exits import Exit, complain
from aistrale_lab.lab.handle import RunHandle

CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}

IMPATIENT = 2.5
"""Seconds after the first signal until calls in flight are dropped without grace."""

LAST = 4.5
"""Seconds after the first signal until the program leaves, whatever it waits for."""


class Interrupts:
    """Takes over SIGINT and SIGTERM while a run goes on; a context manager.

    The first signal stops the launch of calls, a second one drops those in flight, a
    third leaves at once. A signal before there is a run ends the command.
    """

    def __init__(self, *, impatient: float = IMPATIENT, last: float = LAST) -> None:
        self.code: Exit | None = None
        self._patience = impatient, last
        self._again = ""
        self._count = 0
        self._handle: RunHandle[Any] | None = None
        self._timers: list[threading.Timer] = []
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        for number in CODES:
            self._earlier[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        self.calm()
        for number, earlier in self._earlier.items():
            signal.signal(number, earlier)

    def watch(self, handle: RunHandle[Any], *, again: str | None = None) -> None:
        """From now on a signal stops this run; `again` tells how to go on."""
        self._handle = handle
        self._again = again or resume_words(handle.experiment_id)

    def calm(self) -> None:
        """The run has ended and is on disk: the deadlines are off."""
        for timer in self._timers:
            timer.cancel()

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        self.code = self.code or CODES[signal.Signals(number)]
        if self._handle is None:
            complain("interrupted")
            raise SystemExit(int(self.code))
        if self._count > 2:
            self._leave()
        self._handle.cancel()
        if self._count == 1:
            impatient, last = self._patience
            self._start(impatient, self._handle.cancel)
            self._start(last, self._leave)

    def _start(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _leave(self) -> None:
        """Leave without waiting: every answer that was shown as done is on disk."""
        if self._handle is not None:
            complain(f"left; to go on: {self._again}")
        os._exit(self.code or Exit.INTERRUPTED)


def resume_words(experiment_id: str) -> str:
    """The command that sends what is missing."""
    return f"aistrale resume {experiment_id}"
