"""How good each run is, and who is best: tables with drawn intervals, and plots."""

from collections.abc import Iterator, Sequence

import pandas as pd

from aistrale_lab.analysis.alignment import dropped_text
from aistrale_lab.analysis.leaderboard import Leaderboard
from aistrale_lab.analysis.leaderboard_tables import (
    group_columns,
    leaderboard_columns,
    pair_columns,
)
from aistrale_lab.analysis.remarks import method_line
from aistrale_lab.analysis.tables import quality_columns
from aistrale_lab.report.description import (
    Bar,
    Block,
    Heading,
    Line,
    Section,
)
from aistrale_lab.report.grids import grid
from aistrale_lab.report.links import Links
from aistrale_lab.report.material import Evidence, Material
from aistrale_lab.report.texts import name, shown

GROUPS = 60
"""With more groups than that their table is left out."""

RUNS = 8
"""With more runs than that the groups' table would have too many columns."""

PAD = 0.04
"""The empty share at each end of an axis."""


def results_section(material: Material, pictures: Sequence[Block]) -> Section:
    """Every run over all that it answered itself."""
    blocks: list[Block] = [
        Line("Each run over all the samples that it answered itself."),
        grid(quality_columns(material.objects), links=material.run_links),
    ]
    methods = method_line(material.objects)
    if methods:
        told = f"{methods}; epochs of a sample count as one observation."
        blocks.append(Line(shown(told), "muted"))
    return Section("results", "Results", [*blocks, *pictures])


def leaderboard_section(
    evidence: Evidence, pictures: Sequence[Block], links: Links
) -> Section:
    """By each metric, the runs over the samples that all of them answered."""
    blocks: list[Block] = [
        Line(f"There is no leaderboard: {reason}.", "muted")
        for reason in evidence.reasons
    ]
    for place, board in enumerate(evidence.boards.values()):
        blocks += _ranked(board, None if place else evidence.front, links)
        blocks += [] if place else pictures
    if not (evidence.boards or evidence.reasons):
        blocks.append(Line("No answer was scored: there is nothing to rank.", "muted"))
    return Section("leaderboard", "Leaderboard", blocks)


def pair_blocks(board: Leaderboard) -> list[Block]:
    """All pairs of three or more runs, corrected for their number."""
    if len(board.standings) < 3:
        return []
    frame = board.pairs_df()
    low, high = _ends(frame, "difference", 0.0)
    scale = 100.0 if board.is_binary else 1.0
    title = f"All pairs by {name(board.metric)}"
    return [
        Heading(title),
        grid(
            pair_columns(board),
            bars=list(_bars(frame, "difference", (low, high), _is_clear(frame))),
            after=2,
            axis=(f"{scale * low:+.3g}", f"{scale * high:+.3g}"),
            zero=100 * (0 - low) / (high - low),
            legend="a full mark is a difference that p shows",
        ),
        Line(
            "Candidate minus baseline, the run with the higher mean as the candidate. "
            "The intervals of all pairs hold together and so are wide; p is corrected "
            "by Holm's method, and says which run is better and which are tied.",
            "muted",
        ),
    ]


def _ranked(
    board: Leaderboard, front: pd.DataFrame | None, links: Links
) -> list[Block]:
    frame = board.to_df()
    low, high = (0.0, 1.0) if board.is_binary else _ends(frame, "mean")
    ends = ("0 %", "100 %") if board.is_binary else (f"{low:.3g}", f"{high:.3g}")
    full = [tied is not pd.NA and bool(tied) for tied in frame["tied_with_best"]]
    left_out = dropped_text(board.dropped)
    counted = f"{board.n:,} samples and epochs that all runs answered"
    return [
        Heading(f"By {name(board.metric)}"),
        Line(shown(f"{board.verdict}."), "finding"),
        grid(
            leaderboard_columns(board, front),
            bars=list(_bars(frame, "mean", (low, high), full)),
            axis=ends,
            legend="a hollow mark is significantly worse than the best",
            links=[links.run(str(run_id)) for run_id in frame["run_id"]],
        ),
        Line(
            f"Over {counted}{f'; left out: {left_out}' if left_out else ''}.", "muted"
        ),
        Line(_methods(board, front), "muted"),
        *_group_blocks(board),
    ]


def _methods(board: Leaderboard, front: pd.DataFrame | None) -> str:
    told = ["Ratings are Bradley and Terry's"]
    if board.clustered_by:
        told.append(f"answers are clustered by {board.clustered_by}")
    if front is not None:
        told.append(
            "on the front: how likely nobody is at once better, cheaper and sooner"
        )
    return f"{'; '.join(told)}."


def _group_blocks(board: Leaderboard) -> list[Block]:
    groups = board.aligned.groups.nunique()
    if groups < 2:
        return []
    if groups > GROUPS or len(board.standings) > RUNS:
        told = f"The means of {groups:,} groups are too many to list here."
        return [Line(told, "muted")]
    caption = f"{name(board.metric)} by group, with 95 % intervals"
    return [grid(group_columns(board), caption=caption)]


def _is_clear(frame: pd.DataFrame) -> list[bool]:
    return [not bool(tied) for tied in frame["tied"]]


def _ends(frame: pd.DataFrame, middle: str, *others: float) -> tuple[float, float]:
    """The ends of an axis on which all intervals have room."""
    known = [*frame[[middle, "ci_low", "ci_high"]].to_numpy(float).ravel(), *others]
    values = pd.Series(known).dropna()
    low, high = float(values.min()), float(values.max())
    pad = PAD * (high - low) or max(abs(low), 1.0) / 2
    return low - pad, high + pad


def _bars(
    frame: pd.DataFrame, middle: str, ends: tuple[float, float], full: Sequence[bool]
) -> Iterator[Bar | None]:
    low, high = ends

    def place(value: float) -> float:
        return round(min(100.0, max(0.0, 100 * (value - low) / (high - low))), 2)

    rows = frame[[middle, "ci_low", "ci_high"]].to_numpy(float)
    for (value, least, most), is_full in zip(rows, full, strict=True):
        if pd.isna(value):
            yield None
            continue
        least, most = (value if pd.isna(end) else end for end in (least, most))
        yield Bar(place(least), place(value), place(most), is_full)
