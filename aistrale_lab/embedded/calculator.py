"""Arithmetic found in a sentence, done exactly; nothing is ever evaluated as code."""

import re
from fractions import Fraction

LARGEST_BITS = 4_096
"""Numbers larger than this are not computed."""

LONGEST = 2_000
"""Tokens of an expression that are looked at."""

_WORDS = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "multiplied by": "*",
    "divided by": "/",
    "over": "/",
    "modulo": "%",
    "mod": "%",
    "to the power of": "**",
    "squared": "** 2",
    "cubed": "** 3",
    "×": "*",
    "·": "*",
    "÷": "/",
    "−": "-",
    "^": "**",
}
_TOKEN = re.compile(
    r"\d+(?:,\d{3})*(?:\.\d+)?|\*\*|[-+*/%()]|[^\W\d]+|[^\s\w]", re.UNICODE
)
_OPERATORS = {"+", "-", "*", "/", "%", "**", "(", ")"}


def calculate(sentence: str) -> str | None:
    """The value of the longest expression in a sentence; None if there is none.

    `What is (3 + 4) times 2?` gives `14`. Whole numbers are exact, others are
    rounded to ten significant digits.
    """
    runs = sorted(_runs(_spelled_out(sentence)), key=len, reverse=True)
    for run in runs:
        for cut in (run, run[1:], run[:-1]):
            value = _value(cut)
            if value is not None and len(cut) > 1:
                return _shown(value)
    return None


def _spelled_out(sentence: str) -> str:
    text = sentence.casefold()
    for word, sign in _WORDS.items():
        pattern = rf"\b{word}\b" if word[0].isalpha() else re.escape(word)
        text = re.sub(pattern, f" {sign} ", text)
    return text


def _runs(text: str) -> list[list[str]]:
    """Stretches of numbers and operators that hold at least one of each."""
    runs: list[list[str]] = [[]]
    for token in _TOKEN.findall(text)[:LONGEST]:
        if token in _OPERATORS or token[0].isdigit():
            runs[-1].append(token)
        else:
            runs.append([])
    return [
        run
        for run in runs
        if any(t[0].isdigit() for t in run) and any(t in _OPERATORS for t in run)
    ]


def _value(tokens: list[str]) -> Fraction | None:
    try:
        return _Parser(tokens).value()
    except (ValueError, ZeroDivisionError, RecursionError):
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
            operator = self._take()
            other = self._signed()
            if operator == "*":
                found = _bounded(found * other)
            else:
                found = found / other if operator == "/" else found % other
        return found

    def _signed(self) -> Fraction:
        if self._next() == "-":
            self._take()
            return -self._signed()
        return self._power()

    def _power(self) -> Fraction:
        base = self._atom()
        if self._next() != "**":
            return base
        self._take()
        exponent = self._signed()
        if exponent.denominator != 1 or abs(exponent) > LARGEST_BITS:
            raise ValueError("the exponent is too large or no whole number")
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if size * abs(exponent) > LARGEST_BITS:
            raise ValueError("the power is too large")
        return Fraction(base ** int(exponent))

    def _atom(self) -> Fraction:
        token = self._take()
        if token == "(":
            found = self._sum()
            if self._take() != ")":
                raise ValueError("a bracket is missing")
            return found
        if not token or not token[0].isdigit():
            raise ValueError(f"no number: {token!r}")
        return _bounded(Fraction(token.replace(",", "")))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
        raise ValueError("a number is too large")
    return value


def _shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.10g}"
