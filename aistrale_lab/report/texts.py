"""Texts that others wrote, made fit for a page: visible, and of bounded length."""

from aistrale_lab.logs import redact, visible

LONGEST = 700
"""Characters of an input, a target or an answer."""

NAME = 160
"""Characters of a name: of a sample, a group, a parameter's value."""

PROMPT = 4_000
"""Characters of a prompt template."""

MORE = "…"


def shown(text: object, longest: int = LONGEST) -> str:
    """The text with control characters visible, and `…` where its end is cut."""
    whole = str(text)
    begun = visible(whole[:longest])
    return begun if len(whole) <= longest else f"{begun}{MORE}"


def name(text: object) -> str:
    """A name in one line."""
    return " ".join(shown(text, NAME).split())


def message(text: object) -> str:
    """An error's message, without what looks like a key."""
    return shown(redact(str(text)[: 2 * LONGEST]))


def left_out(text: str, longest: int = LONGEST) -> str:
    """How much of a text is not shown; empty if it is all there."""
    more = len(text) - longest
    return f"{more:,} more characters" if more > 0 else ""


def many(number: int, word: str) -> str:
    """So many of a thing: `1 sample`, `2,000 samples`."""
    return f"{number:,} {word if number == 1 else f'{word}s'}"
