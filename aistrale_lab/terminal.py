"""What is said to a person on a terminal, apart from what a program may read."""

import sys
from typing import TYPE_CHECKING, TextIO

from aistrale_lab.logs import visible

if TYPE_CHECKING:
    from rich.console import Console


def note(text: str = "") -> None:
    """A line on standard error; what a model said is made visible."""
    try:
        print("\n".join(map(visible, text.split("\n"))), file=sys.stderr, flush=True)
    except OSError:
        pass


def make_console(stream: TextIO, *, width: int | None = None) -> "Console":
    """A console that prints text as it is: no markup, no emoji codes, no guesses."""
    from rich.console import Console

    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)
