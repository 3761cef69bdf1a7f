"""The two best runs against each other, and all pairs of runs."""

from collections.abc import Sequence
from typing import Any

from aistrale_lab.analysis.compare_tables import (
    compare_columns,
    dropped_lines,
    speed_verdict,
    verdicts,
)
from aistrale_lab.report.description import Block, Facts, Line, Section
from aistrale_lab.report.grids import grid
from aistrale_lab.report.material import Evidence
from aistrale_lab.report.ranking import pair_blocks
from aistrale_lab.report.texts import shown


def comparison_section(evidence: Evidence, pictures: Sequence[Block]) -> Section:
    """Every score, time, token count and cost of the two best, paired by sample."""
    blocks: list[Block] = []
    if evidence.comparison is None:
        blocks.append(Line(f"Nothing is compared: {evidence.unlike}.", "muted"))
    else:
        blocks += [*compared_blocks(dict(evidence.found)), *pictures]
    for board in list(evidence.boards.values())[:1]:
        blocks += pair_blocks(board)
    return Section("comparison", "Comparison", blocks)


def verdict_lines(found: dict[str, Any]) -> list[str]:
    """Which of the two scores higher on what, and which answers sooner."""
    if not found:
        return []
    said = verdicts(found)
    if found["metrics"]["duration_s"]["ci_low"] is not None:
        said.append(speed_verdict(found))
    return [shown(f"{line}.") for line in said]


def compared_blocks(found: dict[str, Any]) -> list[Block]:
    """A comparison's JSON object: who, the verdicts, the table, what has no pair."""
    pairs = f"{found['pairs']:,} samples and epochs that both answered"
    clustered = found["clustered_by"]
    known = [
        ("candidate", f"{found['candidate_model']}, run {found['candidate']}"),
        ("baseline", f"{found['baseline_model']}, run {found['baseline']}"),
        ("pairs", pairs + (f", clustered by {clustered}" if clustered else "")),
    ]
    said = [Line(line, "finding") for line in verdict_lines(found)]
    dropped = dropped_lines(found["dropped"])
    tests = (
        "p is of McNemar's exact test where scores are right or wrong and pairs stand "
        "alone, else of a permutation test"
    )
    blocks: list[Block] = [Facts(known), *said]
    if any(one["n"] for one in found["metrics"].values()):
        blocks.append(grid(compare_columns(found)))
        blocks.append(
            Line(f"Differences are candidate minus baseline; {tests}.", "muted")
        )
    return blocks + [Line(f"{line}.", "muted") for line in dropped]
