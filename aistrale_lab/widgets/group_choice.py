"""The groups that a view offers to choose from: few enough for its first payload."""

import json
from collections.abc import Sequence
from typing import Any

from aistrale_lab.widgets.cells import cell

MOST = 200
"""Groups that are offered; the search finds the samples of the others."""

ROOM = 16_000
"""Bytes of the state for all of them."""


def offered_groups(groups: Sequence[str], total: int) -> dict[str, Any]:
    """The first of `total` groups, each with its text, and how many more there are."""
    offered: list[list[str]] = []
    left = ROOM
    for group in groups[:MOST]:
        pair = [group, cell("group", group)]
        left -= len(json.dumps(pair))
        if left < 0:
            break
        offered.append(pair)
    more = total - len(offered)
    said = f"and {more:,} more groups: search for them" if more else ""
    return {"groups": offered, "more_groups": said}
