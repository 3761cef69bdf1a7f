"""Scorers that look at the answer as plain text."""

from unicodedata import normalize

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.registry import ScorerDefinition, ScorerFunction


def tidy(text: str) -> str:
    """The text in Unicode's composed form (NFC), without white space around it."""
    return normalize("NFC", text).strip()


def exact(sample: Sample, completion: Completion) -> Score:
    """Full marks if text and target are equal once tidied; case counts."""
    answer = tidy(completion.text)
    same = answer == tidy(sample.require_target())
    return Score(
        value=float(same),
        answer=answer,
        explanation="equals the target" if same else "differs from the target",
    )


def includes(sample: Sample, completion: Completion) -> Score:
    """Full marks if the target appears in the text, whatever the case."""
    target = tidy(sample.require_target())
    found = target.casefold() in normalize("NFC", completion.text).casefold()
    return Score(
        value=float(found),
        answer=target if found else None,
        explanation=f"the target {'appears' if found else 'does not appear'}",
    )


def make_length(argument: str | None) -> ScorerFunction:
    """The length of the text in characters, or in words; not between 0 and 1."""
    unit = argument or "characters"
    if unit not in ("characters", "words"):
        raise ValueError("possible units: characters, words")

    def length(sample: Sample, completion: Completion) -> Score:
        text = completion.text
        size = len(text.split()) if unit == "words" else len(text)
        return Score(value=float(size), explanation=f"{size} {unit}")

    return length


def _check_target(target: str, argument: str | None) -> None:
    if not tidy(target):
        raise ValueError("it is empty, and would be found in every answer")


EXACT = ScorerDefinition.of(exact, needs_target=True, binary=True)
INCLUDES = ScorerDefinition.of(
    includes, needs_target=True, binary=True, check_target=_check_target
)
LENGTH = ScorerDefinition(make=make_length, argument="optional")
