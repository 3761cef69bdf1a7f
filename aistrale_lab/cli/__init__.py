"""The command line: parse, call `Lab`, print."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from aistrale_lab.cli.exits import Exit, code_of, complain, explain


def main() -> None:
    """The entry point of `aistrale` and of `python -m aistrale_lab`."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(answer(sys.argv[1:]))


def answer(words: Sequence[str]) -> int:
    """Run a command line; whatever goes wrong becomes one line and an exit code."""
    import typer

    from aistrale_lab.cli.app import call
    from aistrale_lab.cli.output import tame_streams

    tame_streams()
    try:
        return call(words)
    except typer.TyperException as error:
        complain(_usage(error))
        return Exit.USAGE
    except SystemExit as left:
        # typer leaves so when the reader of its help has gone, which is no fault
        return Exit.DONE if left.code == 1 else int(left.code or 0)
    except (Exception, KeyboardInterrupt) as error:
        complain(explain(error))
        return code_of(error)


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "aistrale"
    return f"{error.format_message()}\nTry: {command} --help"


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(Exit.TERMINATED)
