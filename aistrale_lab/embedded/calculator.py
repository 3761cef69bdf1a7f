"""Arithmetic found in a sentence, done exactly; no text is ever run as code."""

import re
from decimal import Decimal, localcontext
from fractions import Fraction

LARGEST_BITS = 4_096
"""Numbers larger than this are not computed."""

LONGEST_TEXT = 20_000
"""Characters that are looked at, counted from the end."""

LONGEST_RUN = 2_000
"""Tokens of one expression."""

EXACT_PLACES = 20
"""Decimal places up to which a fraction that ends is written out."""

ROUNDED_DIGITS = 10
"""Significant digits of all other fractions."""

_OPERATORS = {"+", "-", "*", "/", "%", "**", "(", ")"}
_NO_BEGINNING = _OPERATORS - {"-", "("}
_NO_END = _OPERATORS - {")"}

_SIGNS = {
    "plus": "+",
    "minus": "-",
    "negative": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "modulo": "%",
    "mod": "%",
    "to the power of": "**",
    "squared": "** 2",
    "cubed": "** 3",
    "×": "*",
    "⋅": "*",
    "·": "*",
    "÷": "/",
    "−": "-",
    "–": "-",
    "^": "**",
}
_SPOKEN = re.compile(
    r"\b(?:" + "|".join(sign for sign in _SIGNS if sign[0].isalpha()) + r")\b|[×⋅·÷−–^]"
)
_BETWEEN_NUMBERS = (
    (re.compile(r"(?<=[\d)])\s*x\s*(?=[\d(])"), " * "),
    (re.compile(r"(?<=[\d)])\s+over\s+(?=[\d(])"), " / "),
    (re.compile(r"(?<=[\d)])\s*(?:%|percent)\s+of\b"), " / 100 * "),
)
_TOKEN = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+"
    r"|\*\*|[-+*/%()]|[^\W\d]+|[^\s\w]"
)


def calculate(sentence: str) -> str | None:
    """The value of the longest expression in a sentence; None if there is none.

    `What is (3 + 4) times 2?` gives `14`; of several that are equally long, the last
    one counts. Whole numbers and short decimals are exact, other fractions have ten
    significant digits. What is too large to compute, or divides by 0, has no value.
    """
    runs = _runs(_in_signs(sentence[-LONGEST_TEXT:].casefold()))
    try:
        values = map(_value, sorted(reversed(runs), key=len, reverse=True))
        found = next((value for value in values if value is not None), None)
    except (OverflowError, ZeroDivisionError):
        return None
    return None if found is None else _shown(found)


def _in_signs(text: str) -> str:
    for pattern, sign in _BETWEEN_NUMBERS:
        text = pattern.sub(sign, text)
    return _SPOKEN.sub(lambda found: f" {_SIGNS[found.group()]} ", text)


def _runs(text: str) -> list[list[str]]:
    """Stretches of numbers and operators."""
    runs: list[list[str]] = [[]]
    for token in _TOKEN.findall(text):
        if token in _OPERATORS or _is_number(token):
            runs[-1].append(token)
        elif runs[-1]:
            runs.append([])
    return [trimmed for trimmed in map(_trimmed, runs) if trimmed]


def _trimmed(run: list[str]) -> list[str]:
    """A stretch without the signs that no expression begins or ends with.

    Brackets of the sentence around it go too: `(3 + 4` has one that never closes.
    """
    start, end = 0, len(run)
    unclosed = run.count("(") - run.count(")")
    while start < end and (
        run[start] in _NO_BEGINNING or (unclosed > 0 and run[start] == "(")
    ):
        unclosed += _closes(run[start])
        start += 1
    while end > start and (
        run[end - 1] in _NO_END or (unclosed < 0 and run[end - 1] == ")")
    ):
        end -= 1
        unclosed += _closes(run[end])
    return run[start:end]


def _closes(token: str) -> int:
    return {"(": -1, ")": 1}.get(token, 0)


def _is_number(token: str) -> bool:
    return token[-1:].isdecimal()


def _value(run: list[str]) -> Fraction | None:
    """The value, if the stretch is an expression of at least one operation.

    Raises OverflowError or ZeroDivisionError if it is one that cannot be computed.
    """
    if len(run) > LONGEST_RUN or not any(map(_is_number, run)) or len(run) < 2:
        return None
    try:
        return _Parser(run).value()
    except (ValueError, RecursionError):
        return None


class _Parser:
    """Recursive descent over the usual grammar, in exact fractions."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def value(self) -> Fraction:
        """The value of all tokens; raises ValueError if they are no expression."""
        found = self._sum()
        if self._place != len(self._tokens):
            raise ValueError("something is left over")
        return found

    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._place += 1
        return token

    def _sum(self) -> Fraction:
        found = self._product()
        while self._next() in ("+", "-"):
            sign = self._take()
            other = self._product()
            found = _bounded(found + other if sign == "+" else found - other)
        return found

    def _product(self) -> Fraction:
        found = self._signed()
        while self._next() in ("*", "/", "%"):
            found = _bounded(_combined(found, self._take(), self._signed()))
        return found

    def _signed(self) -> Fraction:
        if self._next() not in ("-", "+"):
            return self._power()
        sign = self._take()
        found = self._signed()
        return -found if sign == "-" else found

    def _power(self) -> Fraction:
        base = self._atom()
        if self._next() != "**":
            return base
        self._take()
        return _raised(base, self._signed())

    def _atom(self) -> Fraction:
        token = self._take()
        if token == "(":
            found = self._sum()
            if self._take() != ")":
                raise ValueError("a bracket is missing")
            return found
        if not _is_number(token):
            raise ValueError(f"no number: {token!r}")
        return _bounded(Fraction(token.replace(",", "")))


def _combined(left: Fraction, operator: str, right: Fraction) -> Fraction:
    if operator == "*":
        return left * right
    return left / right if operator == "/" else left % right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    """A power, computed only if it is sure to be small enough."""
    if exponent.denominator != 1 or abs(exponent) > LARGEST_BITS:
        raise OverflowError("the exponent is too large or no whole number")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(exponent) > 2 * LARGEST_BITS:
        raise OverflowError("the power is too large")
    return _bounded(Fraction(base ** int(exponent)))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
        raise OverflowError("a number is too large")
    return value


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, EXACT_PLACES + 1):
        if 10**places % value.denominator == 0:
            digits = value.numerator * 10**places // value.denominator
            return format(Decimal((digits < 0, _digits(digits), -places)), "f")
    with localcontext(prec=ROUNDED_DIGITS):
        rounded = Decimal(value.numerator) / Decimal(value.denominator)
    return format(rounded, "f") if 1e-6 < abs(rounded) < 1e15 else str(rounded)


def _digits(number: int) -> tuple[int, ...]:
    return tuple(map(int, str(abs(number))))
