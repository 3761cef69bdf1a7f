"""What differs between two texts, word by word."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from rapidfuzz.distance import Indel

Kind = Literal["same", "removed", "added"]

Span = tuple[Kind, str]
"""A stretch of text: in both, only in the first, or only in the second."""

MOST = 4_000
"""Words and spaces of either text that are compared; the work grows with their product."""

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")


def word_diff(before: str, after: str) -> list[Span]:
    """The shortest way from one text to the other, in words, spaces and signs.

    `same` and `removed` make up the first text, `same` and `added` the second. What
    comes after `MOST` tokens is taken as removed and added as a whole, unless equal.
    """
    if before == after:
        return [("same", before)] if before else []
    first, second = _TOKENS.findall(before), _TOKENS.findall(after)
    spans: list[Span] = []
    head, tail = (first[:MOST], first[MOST:]), (second[:MOST], second[MOST:])
    for step in Indel.opcodes(head[0], tail[0]):
        old = head[0][step.src_start : step.src_end]
        new = tail[0][step.dest_start : step.dest_end]
        spans += _spans(step.tag, old, new)
    spans += _rest(head[1], tail[1])
    return _joined(spans)


def _spans(tag: str, old: Sequence[str], new: Sequence[str]) -> list[Span]:
    if tag == "equal":
        return [("same", "".join(old))]
    return [("removed", "".join(old)), ("added", "".join(new))]


def _rest(old: Sequence[str], new: Sequence[str]) -> list[Span]:
    if old == new:
        return [("same", "".join(old))]
    return [("removed", "".join(old)), ("added", "".join(new))]


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Between two stretches of `same`: all that was removed, then all that was added."""
    found: list[Span] = []
    for is_same, group in groupby(spans, key=lambda span: span[0] == "same"):
        parts = list(group)
        kinds: tuple[Kind, ...] = ("same",) if is_same else ("removed", "added")
        for kind in kinds:
            text = "".join(part for other, part in parts if other == kind)
            found += [(kind, text)] if text else []
    return found
