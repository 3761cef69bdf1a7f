"""A run's plan in one line: what is seen before anything is sent."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aistrale_lab.analysis import figures

if TYPE_CHECKING:
    from aistrale_lab.analysis.forecast import Range
    from aistrale_lab.lab.forecasting import Plan


def plan_line(plan: "Plan") -> str:
    """Calls, tokens, cost and time over all lanes, as ranges; and what is unknown."""
    lanes = plan.lanes
    calls = sum(lane.calls for lane in lanes)
    parts = [
        f"{figures.count(calls)} call{'' if calls == 1 else 's'}",
        f"{_between(lane.input_tokens for lane in lanes)} tokens in",
        f"{_between(lane.output_tokens for lane in lanes)} tokens out",
        f"cost {_cost([lane.cost_usd for lane in lanes])}",
    ]
    return " · ".join(parts)


def _between(ranges: "Iterable[Range]") -> str:
    low, high = _sum(ranges)
    if low is None or high is None:
        return "unknown"
    ends = dict.fromkeys((figures.count(low), figures.count(high)))
    return " to ".join(ends)


def _cost(ranges: "list[Range]") -> str:
    """The sum of what is known, as a floor if a lane has no price."""
    known = [one for one in ranges if one.low is not None and one.high is not None]
    low, high = _sum(known)
    if not known or low is None or high is None:
        return "unknown"
    floor = "≥ " if len(known) < len(ranges) else ""
    return floor + " to ".join(dict.fromkeys(figures.dollars([low, high])))


def _sum(ranges: "Iterable[Range]") -> tuple[float | None, float | None]:
    low = high = 0.0
    for one in ranges:
        if one.low is None or one.high is None:
            return None, None
        low, high = low + one.low, high + one.high
    return low, high
