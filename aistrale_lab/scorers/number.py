"""The `number` scorer: the last number of the answer against that of the target."""

import math
import re
from dataclasses import dataclass
from unicodedata import numeric

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.registry import ScorerDefinition, ScorerFunction

TOLERANCE = 1e-9

_MINUSES = "-\u2010\u2011\u2212\ufe63\uff0d"
_MINUS = re.escape(_MINUSES)
_THIN_SPACES = "\u00a0\u2009\u202f"
# Atomic groups and possessive quantifiers keep the search linear on any answer.
_WHOLE = rf"(?>\d{{1,3}}(?:[,{_THIN_SPACES}]\d{{3}}(?!\d))++|\d++)"
_CURRENCY = r"(?:\\?[$€£¥₹₩₽]|USD|EUR|GBP|CHF|CAD|AUD|INR|JPY|CNY|Rs\.?)"
_NUMBER = re.compile(
    rf"""
    (?=[\d.\\$€£¥₹₩₽UEGCAIJR+{_MINUS}])  # cheap: most places fail here
    (?<![A-Za-z\d])(?<!\d\.)             # not inside a word such as CO2 or v1.5
    (?P<sign>(?<![\w)\]}}%])[+{_MINUS}])?
    (?:{_CURRENCY}\ ?(?P<inner_sign>[{_MINUS}])?)?
    (?:
        (?<![/⁄])                        # a fraction, but not part of a date
        (?:(?P<units>{_WHOLE})[\ \u00a0]{{1,2}})?
        (?P<above>{_WHOLE})\ ?[/⁄]\ ?(?P<below>0*+[1-9]\d*+)(?![/⁄]|\.?\d)
      |
        (?P<decimal>{_WHOLE}(?:\.\d++)?|(?<!\.)\.\d++)
        (?:[eE](?P<exponent>[+{_MINUS}]?\d{{1,6}})(?!\w)
          |\ ?(?:[x×*·]|\\times|\\cdot)\ ?10\ ?\^\ ?
           \{{?(?P<power>[+{_MINUS}]?\d{{1,6}})\}}?
        )?
    )
    (?P<percent>\ ?\\?[%％])?
    """,
    re.VERBOSE,
)
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\{(\d{1,30})\}\{(\d{1,30})\}")
_LATEX_GAP = re.compile(r"(?<=\d)(?:\{,\}|\\[,!]|,\\!)(?=\d{3})")
_VULGAR_FRACTION = re.compile("[¼½¾⅐-⅞]")
_SHORT_TAIL = 24
_LONG_TAIL = 400


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written, and what it is worth."""

    text: str
    value: float
    percent: bool

    @property
    def readings(self) -> tuple[float, ...]:
        """What it may mean: a percentage also counts as parts of one."""
        return (self.value, self.value / 100) if self.percent else (self.value,)


def last_number(text: str) -> Number | None:
    """The last number of a text, if there is one.

    Read are signs, thousands separators, currencies, per cent, decimals, fractions
    and mixed numbers, scientific notation, and LaTeX's ways of writing them. A
    number that starts inside a Latin word (CO2) is none. Long texts are searched
    from their end.
    """
    tail = text[-_SHORT_TAIL:]
    if "}" not in tail and (found := _found_whole(tail)):
        return _to_number(found)
    if found := _found_whole(text[-_LONG_TAIL:]):
        return _to_number(found)
    found = _last_match(text)
    return _to_number(found) if found else None


def make_number(argument: str | None) -> ScorerFunction:
    """Full marks if the last numbers of answer and target agree.

    They may differ by `tolerance` times the target. `50%` agrees with 50 and 0.5.
    """
    tolerance = _tolerance(argument)

    def number(sample: Sample, completion: Completion) -> Score:
        target = require_number(sample.require_target())
        answer = last_number(completion.text)
        if answer is None:
            explanation = f"no number in the answer; expected {target.text}"
            return Score(value=0.0, explanation=explanation)
        same = agree(answer, target, tolerance=tolerance)
        explanation = f"{'agrees with' if same else 'expected'} {target.text}"
        return Score(value=float(same), answer=answer.text, explanation=explanation)

    return number


def require_number(target: str) -> Number:
    """The target's last number; raises ValueError if it has none."""
    number = last_number(target)
    if number is None:
        raise ValueError("there is no number in it")
    return number


def agree(answer: Number, target: Number, *, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers are equal up to the tolerance, relative to the target."""
    if math.isinf(answer.value) or math.isinf(target.value):
        return answer.text == target.text
    return any(
        abs(found - wanted) <= tolerance * abs(wanted)
        for found in answer.readings
        for wanted in target.readings
    )


def _tolerance(argument: str | None) -> float:
    if argument is None:
        return TOLERANCE
    try:
        tolerance = float(argument)
    except ValueError:
        raise ValueError("the tolerance is no number") from None
    if not 0 <= tolerance < math.inf:
        raise ValueError("the tolerance must be 0 or more")
    return tolerance


def _found_whole(tail: str) -> re.Match[str] | None:
    """The last match of a tail, unless the cut may have taken a part of it."""
    found = _last_match(tail)
    return found if found and 2 * found.start() > len(tail) else None


def _last_match(text: str) -> re.Match[str] | None:
    last = None
    for last in _NUMBER.finditer(_plain(text)):
        pass
    return last


def _plain(text: str) -> str:
    """The text with LaTeX and one-character fractions written out."""
    if "\\" in text or "{,}" in text:
        text = _LATEX_GAP.sub(",", text)
        text = _LATEX_FRACTION.sub(lambda m: _apart(m, f"{m[1]}/{m[2]}"), text)
    if not text.isascii():
        text = _VULGAR_FRACTION.sub(lambda m: _apart(m, _written_out(m[0])), text)
    return text


def _apart(match: re.Match[str], fraction: str) -> str:
    """The fraction, with a space before it where it follows a whole number."""
    before = match.string[match.start() - 1 : match.start()]
    return f" {fraction}" if before.isdigit() else fraction


def _written_out(character: str) -> str:
    above, below = numeric(character).as_integer_ratio()
    if below > 10:  # thirds and their kin have no exact float
        for below in (3, 5, 6, 7, 9, 10):
            above = round(numeric(character) * below)
            if math.isclose(above / below, numeric(character)):
                break
    return f"{above}/{below}"


def _to_number(match: re.Match[str]) -> Number:
    signs = (match["sign"] or "") + (match["inner_sign"] or "")
    if match["decimal"]:
        value = _decimal(match)
    else:
        value = _float(match["above"]) / _float(match["below"])
        value += _float(match["units"] or "0")
    negative = any(sign in _MINUSES for sign in signs)
    return Number(
        text=match[0].strip(),
        value=-value if negative else value,
        percent=match["percent"] is not None,
    )


def _decimal(match: re.Match[str]) -> float:
    exponent = match["exponent"] or match["power"]
    digits = _bare(match["decimal"])
    return float(f"{digits}e{_ascii_sign(exponent)}" if exponent else digits)


def _float(digits: str) -> float:
    return float(_bare(digits))


def _bare(digits: str) -> str:
    if digits.isdecimal():
        return digits
    return "".join(c for c in digits if c == "." or c.isdecimal())


def _ascii_sign(exponent: str) -> str:
    return "-" + exponent[1:] if exponent[0] in _MINUSES else exponent


NUMBER = ScorerDefinition(
    make=make_number,
    argument="optional",
    needs_target=True,
    binary=True,
    check_target=lambda target, argument: require_number(target),
)
