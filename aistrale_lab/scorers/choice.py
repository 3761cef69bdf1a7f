"""The `choice` scorer: which letter of a multiple-choice question the answer picks."""

import re
from collections.abc import Iterable

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.registry import ScorerDefinition

# Every repeat is bounded, so that no answer can make the search slow. A letter stands
# alone if no Latin letter touches it; Chinese text, say, has no spaces around it.
_LATIN = r"A-Za-z0-9_À-ɏ"
_ENDS = rf"(?!['’]?[{_LATIN}])"
_COMMAND = r"(?:\\?(?:boxed|text|textbf|mathrm)\{){0,2}"
_OPEN = r"[\s*_\"'`“‘(\[{<$\\>#:=-]{0,12}" + _COMMAND + r"[(*]?"
_UPPER = rf"(?-i:[A-Z]){_ENDS}"
_LOWER = r"(?-i:[a-z])(?=[)\]}>*_\"'`”’$]|\s{0,3}[.,;:!]?\s{0,3}(?:\n|\Z))"
_LETTER = rf"({_UPPER}|{_LOWER})"
_VERB = r"(?:is|was|are|be|would be|should be|must be)"
_NOUN = r"(?:answer|choice|option|letter|selection|response|solution)"
_BARE = re.compile(rf"\A{_OPEN}([A-Za-z])[\s)\]}}>*_\"'`”’$.,:;!\\]{{0,12}}\Z")
_STATED = re.compile(
    rf"""
    (?-i:(?=[A-Zaclors]))\b{_NOUN}\b(?:\s(?:to|for)\s[^\n.]{{1,60}}?)?
    (?:\s{{1,3}}{_VERB}\b(?:\sthus|\stherefore|\sclearly)?|\s{{0,3}}[*_"'`]{{0,3}}[:=>])
    {_OPEN}(?:(?:option|choice|letter)\s{{1,3}}{_OPEN})?{_LETTER}
    (?P<rival>\W{{1,4}}(?:or|and)\b{_OPEN}{_UPPER})?
    |
    (?<![{_LATIN}]){_UPPER}[)\]*]{{0,4}}\s{{1,3}}(?:is|was)\s{{1,3}}
    (?:the\s{{1,3}})?(?:correct|right|best)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LINE = re.compile(
    r"^[ \t>*_#-]{0,6}\(?([A-Z])(?:[)\]:]|\.(?=\s)|[*_]{1,3}[).:\s])", re.M
)
_MARKED = re.compile(r"[(\[]\s?([A-Z])\s?[)\]]|\*\*\(?([A-Z])\)?\*\*|\{([A-Z])\}")
_MENTIONED = re.compile(
    rf"(?<![{_LATIN}.-])(?<![A-Za-z]['’])(?<!not\s)(?<!n't\s)"
    rf"(?:(A)(?!\s?['’]?[{_LATIN}-])|([B-HJ-Z]){_ENDS})"
)
_TAIL = 200


def choice(sample: Sample, completion: Completion) -> Score:
    """Full marks if the letter that the answer picks is the target's.

    Tried in turn: the answer is nothing but a letter; it says so ("the answer is
    (B)", "B is correct"), the last time counting; its lines begin with one letter
    ("B) Paris"); one letter is marked ("(B)", "**B**"); one is mentioned. An answer
    that leaves several letters open is wrong, and the explanation says so.
    """
    target = require_letter(sample.require_target())
    answer, explanation = pick(completion.text)
    return Score(
        value=float(answer == target),
        answer=answer,
        explanation=f"{explanation}; expected {target}",
    )


def pick(text: str) -> tuple[str | None, str]:
    """The letter that a text picks, if it is clear, and how that was seen."""
    if bare := _BARE.match(text.strip()):
        return bare[1].upper(), "a letter alone"
    if stated := _last_statement(text):
        return _from_statement(stated)
    for pattern, seen in (
        (_LINE, "begins a line"),
        (_MARKED, "marked"),
        (_MENTIONED, "mentioned"),
    ):
        letters = _letters(pattern.findall(text))
        if len(letters) == 1:
            return letters[0], seen
        if letters:
            return None, f"ambiguous: {', '.join(letters)}"
    return None, "no letter is picked"


def require_letter(target: str) -> str:
    """The target's letter; raises ValueError unless it is one, such as B or (b)."""
    bare = _BARE.match(target.strip())
    if bare is None:
        raise ValueError("it is no letter, such as B or (B)")
    return bare[1].upper()


def _last_statement(text: str) -> re.Match[str] | None:
    last = None
    for part in (text[-_TAIL:], text):
        for last in _STATED.finditer(part):
            pass
        if last or len(part) == len(text):
            break
    return last


def _from_statement(stated: re.Match[str]) -> tuple[str | None, str]:
    if stated["rival"]:
        return None, f"ambiguous: {stated[0]!r}"
    letter = stated[1] or stated[0].lstrip()[0]
    return letter.upper(), "stated"


def _letters(found: Iterable[str | tuple[str, ...]]) -> list[str]:
    """The distinct letters of all matches, in alphabetical order."""
    return sorted({group for match in found for group in match if group})


CHOICE = ScorerDefinition.of(
    choice,
    needs_target=True,
    binary=True,
    check_target=lambda target, argument: require_letter(target),
)
