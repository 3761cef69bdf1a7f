"""Numbers as people read them: units, thousands, as many digits as they carry."""

import math
from collections.abc import Iterable
from typing import Any

UNKNOWN = "–"
"""Shown for what is not known: never 0, never empty."""


def count(number: float | None, *, at_least: bool = False) -> str:
    """A whole number with its thousands apart; `at_least` if parts are unknown."""
    if number is None:
        return UNKNOWN
    return f"{'≥ ' if at_least else ''}{number:,.0f}"


def share(part: int, whole: int) -> str:
    """So many of so many."""
    return f"{part:,}/{whole:,}"


def metric(found: dict[str, Any] | None) -> tuple[str, str]:
    """A metric's value and its interval; percent where it is a proportion."""
    if found is None or found["value"] is None:
        return UNKNOWN, ""
    value, low, high = found["value"], found["ci_low"], found["ci_high"]
    if found["method"] == "wilson":
        shown = f"{100 * value:.1f} %"
        digits, scale = 1, 100.0
    else:
        digits, scale = _digits_of(low, high, value), 1.0
        shown = f"{value:.{digits}f}"
    if low is None or high is None:
        return shown, ""
    return shown, f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def seconds(values: Iterable[float | None]) -> tuple[str, list[str]]:
    """Times in one unit, ms or s, that suits the longest of them."""
    times = list(values)
    known = [t for t in times if t is not None]
    longest = max(known, default=0.0)
    if longest < 1:
        digits = 0 if longest >= 0.01 else 1
        return "ms", [UNKNOWN if t is None else f"{1000 * t:.{digits}f}" for t in times]
    digits = 2 if longest < 100 else 1
    return "s", [UNKNOWN if t is None else f"{t:,.{digits}f}" for t in times]


def rate(value: float | None) -> str:
    """A rate with about three digits."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def dollars(
    values: Iterable[float | None], *, at_least: Iterable[bool] = ()
) -> list[str]:
    """Amounts in USD with the same number of digits, at least two that count."""
    amounts = list(values)
    floors = [*at_least] or [False] * len(amounts)
    digits = max((_cents(amount) for amount in amounts if amount), default=2)
    return [
        UNKNOWN if amount is None else f"{'≥ ' if floor else ''}${amount:,.{digits}f}"
        for amount, floor in zip(amounts, floors, strict=True)
    ]


def span(length: float) -> str:
    """A stretch of time for waiting people: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, math.ceil(length))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def _digits_of(low: float | None, high: float | None, value: float) -> int:
    """Two digits of the interval's half width; without one, three of the value."""
    if low is not None and high is not None and high > low:
        return _clamp(1 - math.floor(math.log10((high - low) / 2)))
    if not value:
        return 1
    return _clamp(2 - math.floor(math.log10(abs(value))))


def _cents(amount: float) -> int:
    return min(8, max(2, 1 - math.floor(math.log10(abs(amount)))))


def _clamp(digits: int) -> int:
    return min(6, max(0, digits))
