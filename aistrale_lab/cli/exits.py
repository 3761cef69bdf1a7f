"""How a command ends: its exit code, and one clear line instead of a traceback."""

import sys
import traceback
from collections.abc import Iterable
from enum import IntEnum

from aistrale_lab.errors import (
    BudgetError,
    ConfigError,
    ConflictError,
    DatasetError,
    LabError,
    NotFoundError,
    PromptError,
    StoreError,
)
from aistrale_lab.logs import redact, visible


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    GATE = 1
    USAGE = 2
    FAILED = 3
    BUDGET = 4
    BROKEN = 5
    INTERRUPTED = 130
    TERMINATED = 143


_PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.TERMINATED,
    Exit.BROKEN,
    Exit.BUDGET,
    Exit.FAILED,
    Exit.GATE,
    Exit.USAGE,
)


_INPUT = (ConfigError, ConflictError, DatasetError, NotFoundError, PromptError)
"""The user's input was wrong, and nothing was sent."""


def worst(codes: Iterable[Exit]) -> Exit:
    """The code that counts if several apply."""
    found = set(codes)
    return next((code for code in _PRECEDENCE if code in found), Exit.DONE)


def code_of(error: BaseException) -> Exit:
    """The code of an error that ended a command.

    What nobody expected counts as the machine's failure: 1 would say that a gate
    was not met, and 2 that the user's input was wrong.
    """
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, _INPUT):
        return Exit.USAGE
    if isinstance(error, BudgetError):
        return Exit.BUDGET
    if isinstance(error, LabError) and not isinstance(error, StoreError):
        return Exit.FAILED
    return Exit.BROKEN


def explain(error: BaseException) -> str:
    """What went wrong, for standard error: no traceback where the cause is known.

    Tracebacks carry no local variables, and keys are taken out.
    """
    if isinstance(error, LabError):
        said = error.message
    elif isinstance(error, OSError):
        said = f"{error.strerror or error}" + (
            f": {error.filename!r}" if error.filename else ""
        )
    elif isinstance(error, MemoryError):
        said = "out of memory"
    else:
        trace = "".join(traceback.format_exception(error)).rstrip()
        said = f"{trace}\nThis is a fault of AISTRALE Lab: please report it."
    return visible(redact(said))


def complain(message: str) -> None:
    """One line of trouble on standard error, whatever state that is in."""
    try:
        print(f"aistrale: {message}", file=sys.stderr, flush=True)
    except OSError:
        pass
