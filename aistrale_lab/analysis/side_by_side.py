"""Runs of the same samples beside each other: where they differ, and who is better."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.analysis.frames import results_df
from aistrale_lab.analysis.run_tables import find_metric, model_names
from aistrale_lab.errors import NotFoundError, ValidationError, one_of
from aistrale_lab.store.opened import OpenedResult, open_result
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store

Kind = Literal["all", "differ", "regressions", "improvements", "failed"]
"""Which samples: all, other answers, a candidate worse or better, or without answer."""

KINDS: tuple[Kind, ...] = ("all", "differ", "regressions", "improvements", "failed")

Mask = NDArray[np.bool_]

KEY = ["sample_id", "epoch"]

SEARCHED = ("sample_id", "group", "input")


class SideBySide:
    """One row per sample and epoch, one column of answers per run, baseline first.

    Of the answers only fingerprints are kept; `opened` reads those of one row.
    """

    def __init__(
        self,
        store: Store,
        runs: Sequence[RunRecord],
        results: pd.DataFrame,
        scorer: str | None,
    ) -> None:
        self._store = store
        self.runs = tuple(runs)
        self.names = model_names(runs)
        """A name for each run that no other has."""
        self.scorer = scorer
        self.scorers = [
            str(c)[len(SCORE) :] for c in results if str(c).startswith(SCORE)
        ]
        self.rows = _rows(results)
        """`sample_id`, `epoch`, `group` and `input`, in the order of the dataset."""
        places = pd.MultiIndex.from_frame(self.rows[KEY])
        by_run = dict(tuple(results.groupby("run_id", sort=False, observed=True)))
        own = [_aligned(by_run.get(run.id, results.iloc[:0]), places) for run in runs]
        self.prints = np.column_stack([_prints(rows) for rows in own])
        """A fingerprint of each answer or error; 0 where there is no result."""
        self.failed: Mask = np.column_stack(
            [(rows["error_type"].notna() | rows["run_id"].isna()) for rows in own]
        )
        self.scores = np.column_stack([_scores(rows, scorer) for rows in own])
        """The scores of each run; NaN where there is none."""
        # A comparison with NaN is false: without both scores nothing is better or worse.
        first, others = self.scores[:, :1], self.scores[:, 1:]
        self._worse: Mask = np.asarray((others < first).any(axis=1))
        self._better: Mask = np.asarray((others > first).any(axis=1))

    def __len__(self) -> int:
        return len(self.rows)

    def groups(self) -> list[str]:
        """The groups of the samples, sorted."""
        return sorted(str(group) for group in self.rows["group"].dropna().unique())

    def count(self, *, group: str = "", search: str = "") -> dict[Kind, int]:
        """How many rows each kind has, among those of the group and the search."""
        among = self._among(group, search)
        return {kind: int((self._is(kind) & among).sum()) for kind in KINDS}

    def find(
        self, kind: Kind = "all", *, group: str = "", search: str = ""
    ) -> list[int]:
        """The places of the rows of a kind; raises ValidationError for an unknown one."""
        if kind not in KINDS:
            raise ValidationError(f"unknown filter {kind!r}; filters: {one_of(KINDS)}")
        among = self._is(kind) & self._among(group, search)
        return [int(place) for place in np.flatnonzero(among)]

    def verdict(self, place: int) -> str:
        """`better`, `worse`, `mixed` or `same`: the candidates against the baseline."""
        better, worse = self._better[place], self._worse[place]
        if better and worse:
            return "mixed"
        return "better" if better else "worse" if worse else "same"

    def opened(self, place: int) -> list[OpenedResult | None]:
        """Each run's result of a row, with everything; None where there is none."""
        row = self.rows.iloc[place]
        key = str(row["sample_id"]), int(row["epoch"])
        return [self._open(run, *key) for run in self.runs]

    def _open(self, run: RunRecord, sample_id: str, epoch: int) -> OpenedResult | None:
        try:
            return open_result(self._store, run.id, sample_id, epoch)
        except NotFoundError:
            return None

    def _among(self, group: str, search: str) -> Mask:
        among = np.ones(len(self), dtype=bool)
        if group:
            among &= (self.rows["group"] == group).fillna(False).to_numpy(bool)
        if search:
            among &= np.logical_or.reduce(
                [self._says(name, search) for name in SEARCHED]
            )
        return among

    def _says(self, name: str, search: str) -> Mask:
        found = (
            self.rows[name]
            .astype("string")
            .str.contains(search, case=False, regex=False)
        )
        return np.asarray(found.fillna(False), dtype=bool)

    def _is(self, kind: Kind) -> Mask:
        match kind:
            case "differ":
                differ: Mask = (self.prints != self.prints[:, :1]).any(axis=1)
                return differ
            case "regressions":
                return self._worse
            case "improvements":
                return self._better
            case "failed":
                return np.asarray(self.failed.any(axis=1))
        return np.ones(len(self), dtype=bool)


def side_by_side(
    store: Store, runs: Sequence[RunRecord], scorer: str | None = None
) -> SideBySide:
    """Two or more runs of the same samples, the baseline first.

    `scorer` says who is better; by default the first that scored. Raises
    ValidationError for fewer than two runs, a run given twice, runs of other datasets,
    and an unknown scorer.
    """
    _check_runs(store, runs)
    columns = ["group", "input", "output", "error_type", "error"]
    results = results_df(store, [run.id for run in runs], columns)
    return SideBySide(store, runs, results, find_metric(results, scorer))


def _check_runs(store: Store, runs: Sequence[RunRecord]) -> None:
    if len(runs) < 2:
        raise ValidationError("side by side takes two runs or more")
    ids = [run.id for run in runs]
    if len(set(ids)) < len(ids):
        raise ValidationError("the same run is given twice")
    asked = {run.id: store.get_experiment(run.experiment_id).dataset for run in runs}
    for run_id, dataset in asked.items():
        if dataset != asked[ids[0]]:
            raise ValidationError(
                f"runs {ids[0]} and {run_id} cannot stand side by side: they asked "
                "other datasets"
            )


def _rows(results: pd.DataFrame) -> pd.DataFrame:
    """Each sample and epoch once, in the order of the dataset."""
    return results[[*KEY, "group", "input"]].drop_duplicates(KEY).reset_index(drop=True)


def _aligned(rows: pd.DataFrame, places: pd.MultiIndex) -> pd.DataFrame:
    return rows.set_index(KEY).reindex(places)


def _prints(rows: pd.DataFrame) -> NDArray[Any]:
    """A number for each text; equal texts have equal ones."""
    said = rows["output"].fillna(rows["error"]).fillna("")
    prints = pd.util.hash_array(said.to_numpy(object)).astype(np.uint64)
    prints[rows["run_id"].isna().to_numpy(bool)] = 0
    return prints


def _scores(rows: pd.DataFrame, scorer: str | None) -> NDArray[np.float64]:
    if scorer is None:
        return np.full(len(rows), np.nan)
    return rows[f"{SCORE}{scorer}"].to_numpy(float)
