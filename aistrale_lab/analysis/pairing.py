"""The answers of two runs to the same questions, pair by pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aistrale_lab.analysis.clustering import cluster_labels
from aistrale_lab.analysis.columns import SCORE

KEY = ["sample_id", "epoch"]
"""What the two answers of a pair share."""

SIDES = ("baseline", "candidate")

MEASURES = (
    "duration_s",
    "time_to_first_token_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
)
"""What is compared besides the scores."""

USED = (*KEY, "group", "error_type", "response_model", "flags", *MEASURES)
"""The columns that a comparison reads, besides the scores."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """One row per sample and epoch that either run has; `dropped` says why not all.

    The columns of the two sides end in `_baseline` and `_candidate`. `answered` has the
    rows in which both runs answered.
    """

    rows: pd.DataFrame
    answered: pd.DataFrame
    dropped: Mapping[str, int]
    clustered_by: str | None

    def values(self, name: str) -> tuple["pd.Series[float]", "pd.Series[float]"]:
        """A score or measure of both sides, where both have it."""
        columns = [f"{name}_{side}" for side in SIDES]
        known = self.answered[columns].astype("float64").dropna()
        return known[columns[0]], known[columns[1]]

    def groups(self, index: "pd.Index[Any]") -> "pd.Series[str] | None":
        """What holds rows together that are not independent; None if nothing does."""
        if self.clustered_by is None:
            return None
        return self.answered["cluster"].loc[index]

    def if_failed_wrong(self, name: str) -> tuple["pd.Series[float]", ...]:
        """A score of both sides in all rows that both have, 0 where a call failed."""
        both = self.rows[self.rows["_merge"] == "both"]
        sides = []
        for side in SIDES:
            scores = both[f"{name}_{side}"].astype("float64")
            sides.append(scores.mask(both[f"error_type_{side}"].notna(), 0.0))
        known = sides[0].notna() & sides[1].notna()
        return tuple(scores[known] for scores in sides)


def pair_up(baseline: pd.DataFrame, candidate: pd.DataFrame) -> Pairs:
    """Join the result frames of two runs by sample and epoch."""
    frames = [_used(frame) for frame in (baseline, candidate)]
    rows = frames[0].merge(
        frames[1],
        on=KEY,
        how="outer",
        sort=False,
        suffixes=("_baseline", "_candidate"),
        indicator=True,
    )
    failed = [rows[f"error_type_{side}"].notna() for side in SIDES]
    both = rows["_merge"] == "both"
    groups = rows["group_baseline"].fillna(rows["group_candidate"])
    clusters = cluster_labels(groups, rows["sample_id"])
    clustered_by = None
    if clusters is not None:
        rows["cluster"] = clusters
        clustered_by = "group" if groups.dropna().duplicated().any() else "sample"
    reasons = {
        "missing_baseline": rows["_merge"] == "right_only",
        "missing_candidate": rows["_merge"] == "left_only",
        "failed_baseline": both & failed[0] & ~failed[1],
        "failed_candidate": both & failed[1] & ~failed[0],
        "failed_both": both & failed[0] & failed[1],
    }
    dropped = {name: int(found.sum()) for name, found in reasons.items()}
    answered = rows[both & ~failed[0] & ~failed[1]]
    return Pairs(rows, answered, dropped, clustered_by)


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    scores = [name for name in frame if str(name).startswith(SCORE)]
    return frame[[*USED, *scores]]
