"""Numbers as people read them: units, thousands, as many digits as they carry."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
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


def metric(found: dict[str, Any] | None, *, binary: bool = False) -> tuple[str, str]:
    """A metric's value and its interval; in percent if its scores are right or wrong."""
    if found is None or found["value"] is None:
        return UNKNOWN, ""
    value, low, high = found["value"], found["ci_low"], found["ci_high"]
    if binary:
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


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric of two runs in words: both means, their difference, its interval."""

    baseline: str
    candidate: str
    difference: str
    interval: str


def compared(name: str, found: dict[str, Any]) -> Compared:
    """A compared metric in its unit: points of a percent, ms or s, USD, or as it is."""
    sides = found["baseline"], found["candidate"]
    ends = found["ci_low"], found["ci_high"]
    difference = found["difference"]
    scale, digits, unit, apart = _unit_of(name, found)
    shown = [UNKNOWN if x is None else f"{scale * x:,.{digits}f}{unit}" for x in sides]
    moved = UNKNOWN
    if difference is not None:
        moved = f"{scale * difference:+,.{digits}f}{apart}"
    interval = ""
    if ends[0] is not None and ends[1] is not None:
        low, high = (f"{scale * end:+,.{digits}f}" for end in ends)
        interval = f"[{low}, {high}]"
    return Compared(shown[0], shown[1], moved, interval)


def probability(p_value: float | None) -> str:
    """A p-value; no more of it than matters."""
    if p_value is None:
        return UNKNOWN
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _unit_of(name: str, found: dict[str, Any]) -> tuple[float, int, str, str]:
    """Scale, digits, the unit of a mean and that of a difference."""
    if found["binary"]:
        return 100.0, 1, " %", " points"
    known = [abs(found[side]) for side in ("baseline", "candidate") if found[side]]
    if name.endswith("_s"):
        longest = max(known, default=0.0)
        return (1_000.0, 1, " ms", " ms") if longest < 1 else (1.0, 2, " s", " s")
    if name == "cost_usd":
        return 1.0, max((_cents(amount) for amount in known), default=2), " $", " $"
    low, high = found["ci_low"], found["ci_high"]
    return 1.0, _digits_of(low, high, found["difference"] or 0.0), "", ""


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
