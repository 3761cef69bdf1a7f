"""The `pattern` scorer: a regular expression, in time linear to the answer's length."""

from typing import Any

import re2

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.registry import ScorerDefinition, ScorerFunction
from aistrale_lab.scorers.text import tidy

MAX_PATTERN = 1_000
"""Characters that a pattern may have."""


def make_pattern(argument: str | None) -> ScorerFunction:
    """Full marks if the pattern is found; with a group, if that equals the target.

    Without a group, or on a sample without a target, finding the pattern is enough.
    With both, the first group that took part must equal the target, both tidied.
    The syntax is RE2's (no look-around, no back-references), which cannot be made to
    run for long by any answer.
    """
    expression = compile_pattern(argument or "")

    def pattern(sample: Sample, completion: Completion) -> Score:
        match = expression.search(completion.text.encode("utf-8", "replace"))
        if match is None:
            return Score(value=0.0, explanation="the pattern is not found")
        answer = _answer(match)
        if not expression.groups or sample.target is None:
            return Score(value=1.0, answer=answer, explanation="the pattern is found")
        same = tidy(answer) == tidy(sample.target)
        verdict = "equals" if same else "differs from"
        return Score(
            value=float(same),
            answer=answer,
            explanation=f"the group {verdict} the target",
        )

    return pattern


def compile_pattern(text: str) -> Any:
    """The RE2 expression; raises ValueError for one too long or malformed."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"a pattern may have {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise ValueError(f"{reason} (RE2 syntax)") from None


def _answer(match: Any) -> str:
    """The first group that took part, or the whole match."""
    groups = [group for group in match.groups() if group is not None]
    found: bytes = groups[0] if groups else match.group()
    return found.decode("utf-8", "replace")


PATTERN = ScorerDefinition(make=make_pattern, argument="required", binary=True)
