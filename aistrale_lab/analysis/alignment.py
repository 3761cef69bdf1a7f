"""The answers of several runs to the same questions, side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aistrale_lab.analysis.arrays import FloatArray, IntArray
from aistrale_lab.analysis.clustering import cluster_labels
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import ValidationError
from aistrale_lab.store.records import RunRecord

USED = ("run_id", "sample_id", "epoch", "group", "error_type")
"""The columns of results that are read here."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """The samples and epochs that every run answered, with all the values asked for.

    `places` (samples and epochs by runs) are the positions of these answers among the
    results; `samples` numbers the sample of each row, `groups` has its group. `dropped`
    counts the other samples and epochs, each by the first reason that holds: `missing`
    from a run, `failed` in a run, a value `unknown` in a run. `clusters` numbers what
    holds rows together that are not independent, and `clustered_by` names it: `group`,
    `sample` (several epochs), or None if each row stands alone.
    """

    places: IntArray
    samples: IntArray
    groups: "pd.Series[str]"
    dropped: Mapping[str, int]
    clusters: IntArray | None
    clustered_by: str | None

    def values(self, column: "pd.Series[float]") -> FloatArray:
        """A column of the results, as samples and epochs by runs."""
        return _floats(column)[self.places]


def answering_runs(
    results: pd.DataFrame, runs: Sequence[RunRecord], column: str
) -> tuple[list[RunRecord], list[RunRecord]]:
    """The runs with answers that have a value in the column, and the runs without.

    Raises ValidationError for fewer than two with answers, and for a run given twice.
    """
    if len({run.id for run in runs}) < len(runs):
        raise ValidationError("the same run is given twice")
    answered = results["error_type"].isna() & results[column].notna()
    known = set(results["run_id"][answered].unique())
    answering = [run for run in runs if run.id in known]
    if len(answering) < 2:
        raise ValidationError(
            f"two or more runs with scored answers are needed, not {len(answering)} "
            f"(of {len(runs)} runs)"
        )
    return answering, [run for run in runs if run.id not in known]


def align(
    results: pd.DataFrame, runs: Sequence[RunRecord], columns: Iterable[str] = ()
) -> Aligned:
    """Put the runs' answers side by side, where all have a value in all the columns.

    Raises ValidationError if a run has two results for a sample and epoch, and, with
    the reasons, if nothing is left.
    """
    taken, run_codes = _rows_of_runs(results, runs)
    rows = results.iloc[taken]
    keys, first = _keys(rows)
    places = np.full((first.size, len(runs)), -1, dtype=np.int64)
    places[keys, run_codes] = taken
    if np.count_nonzero(places >= 0) < taken.size:
        raise ValidationError("a run has several results for one sample and epoch")
    missing = (places < 0).any(axis=1)
    failed = _in_any(results["error_type"].notna().to_numpy(bool), places)
    unknown = np.zeros(first.size, dtype=np.bool_)
    for name in columns:
        unknown |= _in_any(np.isnan(_floats(results[name])), places)
    dropped = {
        "missing": int(missing.sum()),
        "failed": int((failed & ~missing).sum()),
        "unknown": int((unknown & ~missing & ~failed).sum()),
    }
    kept = ~(missing | failed | unknown)
    if not kept.any():
        raise ValidationError(
            f"no sample was answered by all runs: {dropped_text(dropped)}"
        )
    groups = _groups(rows["group"], keys, first.size)[kept]
    sample_ids = rows["sample_id"].iloc[first[kept]]
    samples = pd.factorize(sample_ids)[0]
    clusters, clustered_by = _clusters(groups, sample_ids)
    return Aligned(places[kept], samples, groups, dropped, clusters, clustered_by)


def alignment_warnings(
    results: pd.DataFrame, runs: Sequence[RunRecord], names: Sequence[str]
) -> Iterator[str]:
    """What a reader must know of the runs before believing what they share."""
    places, run_codes = _rows_of_runs(results, runs)
    wrong = results["error_type"].notna().to_numpy(bool)[places]
    totals = np.bincount(run_codes, minlength=len(runs))
    failed = np.bincount(run_codes[wrong], minlength=len(runs))
    if np.ptp(failed / np.maximum(totals, 1)) > 0:
        shares = ", ".join(
            f"{part:,} of {whole:,} of {name}"
            for part, whole, name in zip(failed, totals, names, strict=True)
        )
        yield f"calls failed at other rates: {shares}; what is left may not be typical"
    for run, name in zip(runs, names, strict=True):
        if run.status is not RunStatus.COMPLETED:
            yield f"{name} is {run.status}: {run.completed:,} of {run.planned:,}"
    experiments = {run.experiment_id for run in runs}
    if len(experiments) > 1:
        yield (
            f"the runs are of {len(experiments)} experiments: their samples are "
            "matched by id alone"
        )


def dropped_text(dropped: Mapping[str, int]) -> str:
    """How many samples and epochs were left out and why; empty if none were."""
    words = {
        "missing": "missing from a run",
        "failed": "failed in a run",
        "unknown": "without a value in a run",
    }
    return ", ".join(f"{n:,} {words[why]}" for why, n in dropped.items() if n)


def _rows_of_runs(
    results: pd.DataFrame, runs: Sequence[RunRecord]
) -> tuple[IntArray, IntArray]:
    """The positions of the runs' results, and for each the number of its run."""
    ids = pd.Index([run.id for run in runs])
    codes = ids.get_indexer(pd.Index(results["run_id"]))
    taken = np.flatnonzero(codes >= 0)
    return taken, codes[taken]


def _keys(rows: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Each row's sample and epoch as one number, and the first row of each number."""
    samples = pd.factorize(rows["sample_id"])[0].astype(np.int64)
    epochs = rows["epoch"].to_numpy(np.int64)
    keys = pd.factorize(samples * (epochs.max(initial=0) + 1) + epochs)[0]
    first = np.empty(keys.max(initial=-1) + 1, dtype=np.int64)
    first[keys[::-1]] = np.arange(keys.size)[::-1]
    return keys, first


def _in_any(is_so: NDArray[np.bool_], places: IntArray) -> NDArray[np.bool_]:
    """Whether it is so in any of the runs that have a result."""
    if not is_so.size:
        return np.zeros(places.shape[0], dtype=np.bool_)
    return np.asarray((is_so[places] & (places >= 0)).any(axis=1))


def _groups(groups: "pd.Series[str]", keys: IntArray, count: int) -> "pd.Series[str]":
    """The group of each sample and epoch, from whichever run knows it."""
    known = groups.notna().to_numpy(bool)
    found = pd.Series(pd.NA, index=range(count), dtype="string")
    found.iloc[keys[known]] = groups[known].to_numpy()
    return found


def _clusters(
    groups: "pd.Series[str]", sample_ids: "pd.Series[str]"
) -> tuple[IntArray | None, str | None]:
    labels = cluster_labels(
        groups.reset_index(drop=True), sample_ids.reset_index(drop=True)
    )
    if labels is None:
        return None, None
    is_group = bool(groups.dropna().duplicated().any())
    return pd.factorize(labels)[0], "group" if is_group else "sample"


def _floats(column: "pd.Series[float]") -> FloatArray:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
