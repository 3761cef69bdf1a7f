"""Is B better than A? Two runs of the same samples, every difference with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from aistrale_lab.analysis.arrays import LEVEL
from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.analysis.paired import PairedDifference, paired_difference
from aistrale_lab.analysis.pairing import MEASURES, SIDES, Pairs, pair_up
from aistrale_lab.domain import rich
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.store.records import ExperimentRecord, RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = 2_000
"""Resamples of a bootstrap."""

Side = tuple[RunRecord, ExperimentRecord, pd.DataFrame]
"""A run, its experiment, and its results."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One score or measure of both runs, over the pairs that have it on both sides.

    `baseline` and `candidate` are the means over those pairs. `if_failed_wrong` is the
    difference if calls that failed count as 0: known for scores, where calls failed.
    """

    name: str
    baseline: float | None
    candidate: float | None
    paired: PairedDifference
    is_binary: bool
    if_failed_wrong: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate minus baseline, for every score, time, token count and cost.

    `pairs` counts the samples and epochs that both answered, `dropped` the others, by
    reason. `clustered_by` names what holds pairs together that are not independent:
    `group`, `sample` (several epochs), or None. `flipped` has a row for each pair whose
    scores differ. `warnings` are what a reader must know before believing a number.
    """

    baseline: RunRecord
    candidate: RunRecord
    pairs: int
    dropped: Mapping[str, int]
    clustered_by: str | None
    metrics: tuple[Compared, ...]
    flipped: pd.DataFrame
    warnings: tuple[str, ...]
    level: float = LEVEL
    """What share of such intervals holds the truth."""

    def metric(self, name: str) -> Compared:
        """A score or measure by its name; NotFoundError names those there are."""
        for compared in self.metrics:
            if compared.name == name:
                return compared
        known = ", ".join(compared.name for compared in self.metrics)
        raise NotFoundError(f"nothing named {name!r} was compared; there are {known}")

    @property
    def cost_ratio(self) -> float | None:
        """The candidate's mean cost as a multiple of the baseline's."""
        cost = self.metric("cost_usd")
        if not cost.baseline or cost.candidate is None:
            return None
        return cost.candidate / cost.baseline

    def to_df(self) -> pd.DataFrame:
        """One row per score or measure: means, difference, interval, tests."""
        return pd.DataFrame([_row(compared) for compared in self.metrics])

    def plot(self) -> "Figure":
        """Every difference with its interval, around zero; needs matplotlib."""
        from aistrale_lab.analysis.evidence_plots import compare_plot

        return compare_plot(self)

    def _repr_html_(self) -> str:
        table: str = self.to_df().to_html(
            index=False, na_rep="–", border=0, max_rows=rich.MOST_ROWS
        )
        return rich.plain(table)

    def __repr__(self) -> str:
        return (
            f"<Comparison {self.candidate.model} against {self.baseline.model}: "
            f"{self.pairs} pairs, {len(self.metrics)} metrics>"
        )


def compare(
    baseline: Side,
    candidate: Side,
    *,
    anyway: bool = False,
    fingerprints: tuple[Sequence[str], Sequence[str]] = ((), ()),
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two runs, paired by sample and epoch.

    `fingerprints` are the back ends that either run's answers say they came from.
    Raises ValidationError, with the reason, for runs of other datasets or prompts
    unless `anyway`, and for runs that share no sample.
    """
    differing = different_parts(baseline[1], candidate[1])
    if differing and not anyway:
        raise ValidationError(
            f"runs {baseline[0].id} and {candidate[0].id} cannot be paired: they have "
            f"another {' and another '.join(differing)}; anyway=True (--anyway) "
            "pairs what samples they share by id"
        )
    pairs = pair_up(baseline[2], candidate[2])
    if not (pairs.rows["_merge"] == "both").any():
        raise ValidationError(
            f"runs {baseline[0].id} and {candidate[0].id} share no sample and epoch"
        )
    names = [*_shared_scores(baseline[2], candidate[2]), *MEASURES]

    def one(name: str) -> Compared:
        return _compared(name, pairs, level=level, draws=draws, seed=seed)

    with ThreadPoolExecutor(2) as pool:  # numpy draws without holding the interpreter
        metrics = tuple(pool.map(one, names))
    return Comparison(
        baseline=baseline[0],
        candidate=candidate[0],
        pairs=len(pairs.answered),
        dropped=pairs.dropped,
        clustered_by=pairs.clustered_by,
        metrics=metrics,
        flipped=_flipped(pairs, names),
        warnings=(
            *_warnings(baseline, candidate, pairs, differing),
            *_mixed_back_ends(fingerprints),
        ),
        level=level,
    )


def different_parts(one: ExperimentRecord, other: ExperimentRecord) -> list[str]:
    """What keeps the runs of two experiments from being paired."""
    parts = {
        "dataset": (one.dataset, other.dataset),
        "prompt": (one.task["prompt"], other.task["prompt"]),
    }
    return [name for name, (mine, theirs) in parts.items() if mine != theirs]


def _shared_scores(*frames: pd.DataFrame) -> list[str]:
    """The score columns in which both frames have values."""
    first, second = (frame.filter(regex=f"^{SCORE}") for frame in frames)
    return [
        str(name)
        for name in first
        if name in second and first[name].notna().any() and second[name].notna().any()
    ]


def _compared(name: str, pairs: Pairs, **how: Any) -> Compared:
    before, after = pairs.values(name)
    known = len(before) > 0
    is_score = name.startswith(SCORE)
    is_binary = is_score and bool((before.isin((0, 1)) & after.isin((0, 1))).all())
    paired = paired_difference(
        before.to_numpy(),
        after.to_numpy(),
        pairs.groups(before.index),
        binary=is_binary,
        **how,
    )
    has_failed = any(pairs.dropped[f"failed_{which}"] for which in SIDES)
    return Compared(
        name=name.removeprefix(SCORE),
        baseline=float(before.mean()) if known else None,
        candidate=float(after.mean()) if known else None,
        paired=paired,
        is_binary=is_binary,
        if_failed_wrong=(
            _if_failed_wrong(name, pairs) if is_score and has_failed else None
        ),
    )


def _if_failed_wrong(name: str, pairs: Pairs) -> float | None:
    before, after = pairs.if_failed_wrong(name)
    return float((after - before).mean()) if len(before) else None


def _flipped(pairs: Pairs, names: Sequence[str]) -> pd.DataFrame:
    """The pairs whose scores differ, with the scores of both sides."""
    scores = [name for name in names if name.startswith(SCORE)]
    rows = pairs.answered
    differs = pd.Series(False, index=rows.index)
    for name in scores:
        before, after = pairs.values(name)
        differs |= (before != after).reindex(rows.index, fill_value=False)
    columns = [f"{name}_{side}" for name in scores for side in SIDES]
    found = rows.loc[differs, ["sample_id", "epoch", "group_baseline", *columns]]
    return found.rename(columns={"group_baseline": "group"}).reset_index(drop=True)


def _warnings(
    baseline: Side, candidate: Side, pairs: Pairs, differing: Sequence[str]
) -> Iterable[str]:
    if differing:
        yield f"the runs have another {' and another '.join(differing)}"
    failed = [side[2]["error_type"].notna() for side in (baseline, candidate)]
    shares = [f"{int(which.sum()):,} of {len(which):,}" for which in failed]
    if failed[0].mean() != failed[1].mean():
        yield (
            f"calls failed at other rates: {shares[0]} of the baseline, {shares[1]} of "
            "the candidate; the pairs left may not be typical"
        )
    for which, (run, _, results) in zip(SIDES, (baseline, candidate), strict=True):
        if run.status is not RunStatus.COMPLETED:
            yield f"the {which} is {run.status}: {run.completed:,} of {run.planned:,}"
        models = sorted(results["response_model"].dropna().unique())
        if len(models) > 1:
            yield f"the {which}'s answers came from several models: {', '.join(models)}"


def _mixed_back_ends(
    fingerprints: tuple[Sequence[str], Sequence[str]],
) -> Iterable[str]:
    for which, found in zip(SIDES, fingerprints, strict=True):
        if len(found) > 1:
            yield (
                f"the {which}'s answers came from several back ends "
                f"(system_fingerprint): {', '.join(found)}"
            )


def _row(compared: Compared) -> dict[str, Any]:
    paired = compared.paired
    return {
        "metric": compared.name,
        "baseline": compared.baseline,
        "candidate": compared.candidate,
        "difference": paired.difference,
        "ci_low": paired.low,
        "ci_high": paired.high,
        "method": paired.method,
        "n": paired.n,
        "wins": paired.wins,
        "losses": paired.losses,
        "ties": paired.ties,
        "mcnemar_p": paired.tests.mcnemar,
        "wilcoxon_p": paired.tests.wilcoxon,
        "permutation_p": paired.tests.permutation,
        "bca_low": paired.bca.low,
        "bca_high": paired.bca.high,
        "cohens_dz": paired.cohens_dz,
        "odds_ratio": paired.odds_ratio,
    }
