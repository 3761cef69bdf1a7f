"""A lane's counters, as they are told."""

from typing import Any

from aistrale_lab.engine.progress import LaneProgress


def lane_object(lane: LaneProgress) -> dict[str, Any]:
    """A lane's counters; `recent` are its last errors."""
    return {
        "run_id": lane.run_id,
        "model": lane.model,
        "params": lane.params,
        "total": lane.total,
        "skipped": lane.skipped,
        "done": lane.done,
        "failed": lane.failed,
        "in_flight": lane.in_flight,
        "attempts": lane.attempts,
        "output_tokens": lane.output_tokens,
        "cost_usd": None if lane.cost is None else str(lane.cost),
        "status": lane.status.value,
        "reason": lane.reason,
        "over_budget": lane.over_budget,
        "rate_limited_s": round(lane.rate_limited(), 1),
        "errors": dict(lane.errors),
        "recent": list(lane.recent),
    }
