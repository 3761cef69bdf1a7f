"""The lanes of a run as the panel shows them: numbers in words, once for all."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from aistrale_lab.analysis import figures
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.logs import visible

SHOWN = 40
"""Lanes that stand in the panel; of the others only their number."""

ERRORS = 8
"""Errors that stand in the panel, the newest ones."""

LONGEST = 300
"""Characters of an error."""

HEADINGS = (
    ("lane", "Lane"),
    ("done", "Done"),
    ("failed", "Failed"),
    ("in_flight", "In flight"),
    ("limited", "Rate limited"),
    ("tokens", "Tokens/s"),
    ("cost", "Cost"),
    ("left", "Time left"),
    ("status", "State"),
)
"""The columns of the lanes, and what stands above them."""


def is_over(lane: LaneProgress) -> bool:
    """Whether the lane sends no more."""
    return lane.status not in (RunStatus.PENDING, RunStatus.RUNNING)


def lane_cells(lane: LaneProgress, *, watched: bool) -> dict[str, Any]:
    """One lane by the keys of `HEADINGS`; `watched`: another process executes it."""
    rows = lane.skipped + lane.done
    over = is_over(lane)
    wait = 0.0 if over else lane.rate_limited()
    left = None if over else lane.seconds_left
    unseen = over or watched
    cost = None if lane.cost is None else float(lane.cost)
    return {
        "lane": visible(f"{lane.model} {lane.params}".strip()),
        "fraction": round(rows / max(1, lane.total), 3),
        "done": figures.share(rows, lane.total),
        "failed": figures.count(lane.failed),
        "in_flight": figures.UNKNOWN if unseen else figures.count(lane.in_flight),
        "limited": f"waits {figures.span(wait)}" if wait > 0 else figures.UNKNOWN,
        "tokens": figures.rate(lane.tokens_per_s),
        "cost": figures.dollars([cost])[0],
        "left": figures.UNKNOWN if left is None else figures.span(left),
        "status": str(lane.status),
        "reason": visible(lane.reason or "") if over else "",
    }


def lanes_state(lanes: Sequence[LaneProgress], *, watched: bool) -> dict[str, Any]:
    """Lanes, errors and sums: all of the panel that moves."""
    return {
        "lanes": [lane_cells(lane, watched=watched) for lane in lanes[:SHOWN]],
        "more": max(0, len(lanes) - SHOWN),
        "errors": _errors(lanes),
        "sums": _sums(lanes),
    }


def rows_of(lanes: Sequence[LaneProgress]) -> tuple[int, int]:
    """How many samples have their row, of how many."""
    rows = sum(lane.skipped + lane.done for lane in lanes)
    return rows, sum(lane.total for lane in lanes)


def _sums(lanes: Sequence[LaneProgress]) -> str:
    """One line over all lanes."""
    rows, total = rows_of(lanes)
    failed = sum(lane.failed for lane in lanes)
    costs = [lane.cost for lane in lanes if lane.cost is not None]
    parts = [f"{figures.share(rows, total)} done"]
    if failed:
        parts.append(f"{figures.count(failed)} failed")
    if costs:
        parts.append(figures.dollars([float(sum(costs, Decimal(0)))])[0])
    return " · ".join(parts)


def _errors(lanes: Sequence[LaneProgress]) -> list[str]:
    """The newest errors of each lane, as far as there is room for each."""
    failing = [lane for lane in lanes if lane.recent]
    if not failing:
        return []
    room = max(1, ERRORS // len(failing))
    return [
        visible(f"{lane.model}: sample {' '.join(text.split())}")[:LONGEST]
        for lane in failing[:ERRORS]
        for text in tuple(lane.recent)[-room:]
    ]
