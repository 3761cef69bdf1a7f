"""Which model is best, and which ones cannot be told from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from aistrale_lab.analysis.alignment import (
    Aligned,
    align,
    alignment_warnings,
    answering_runs,
    dropped_text,
)
from aistrale_lab.analysis.arrays import LEVEL, FloatArray, Interval
from aistrale_lab.analysis.columns import COUNT, FLAG, FLOAT, SCORE, TEXT
from aistrale_lab.analysis.compare import DRAWS
from aistrale_lab.analysis.intervals import mean_interval
from aistrale_lab.analysis.multiple import (
    ModelPair,
    holm,
    simultaneous_intervals,
    tied_with_best,
)
from aistrale_lab.analysis.ratings import Rating
from aistrale_lab.analysis.run_tables import get_metric, model_names, typed_frame
from aistrale_lab.analysis.verdicts import score_ratings
from aistrale_lab.domain import rich
from aistrale_lab.store.records import RunRecord

COLUMNS: Mapping[str, str] = {
    "run_id": TEXT,
    "model": TEXT,
    "mean": FLOAT,
    "ci_low": FLOAT,
    "ci_high": FLOAT,
    "n": COUNT,
    "method": TEXT,
    "rating": FLOAT,
    "rating_low": FLOAT,
    "rating_high": FLOAT,
    "rating_place": TEXT,
    "tied_with_best": FLAG,
}

PAIR_COLUMNS: Mapping[str, str] = {
    "candidate": TEXT,
    "baseline": TEXT,
    "candidate_run_id": TEXT,
    "baseline_run_id": TEXT,
    "difference": FLOAT,
    "ci_low": FLOAT,
    "ci_high": FLOAT,
    "p_value": FLOAT,
    "p_simultaneous": FLOAT,
    "p_holm": FLOAT,
    "tied": FLAG,
}

GROUP_COLUMNS: Mapping[str, str] = {
    "group": TEXT,
    "run_id": TEXT,
    "model": TEXT,
    "mean": FLOAT,
    "ci_low": FLOAT,
    "ci_high": FLOAT,
    "n": COUNT,
    "method": TEXT,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's mean with its interval, its rating, and whether it may be the best."""

    run: RunRecord
    name: str
    interval: Interval
    rating: Rating
    tied_with_best: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Leaderboard:
    """Runs ranked by a metric over the samples and epochs that all of them answered.

    `standings` has the best run first, as `scores` has (samples and epochs by runs);
    `pairs` are all pairs of runs, by their numbers there. `unranked` are the runs
    without a scored answer, by name. `aligned` says which samples and epochs these are.
    `warnings` are what a reader must know before believing a number.
    """

    metric: str
    level: float
    standings: tuple[Standing, ...]
    pairs: tuple[ModelPair, ...]
    unranked: Mapping[str, RunRecord]
    warnings: tuple[str, ...]
    scores: FloatArray
    aligned: Aligned

    @property
    def n(self) -> int:
        """How many samples and epochs all runs answered."""
        return int(self.scores.shape[0])

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many samples and epochs were left out, by reason; see `Aligned`."""
        return self.aligned.dropped

    @property
    def clustered_by(self) -> str | None:
        """What holds answers together that are not independent: group, sample, None."""
        return self.aligned.clustered_by

    @property
    def is_binary(self) -> bool:
        """Whether every score is right or wrong: the means are shares."""
        return bool(((self.scores == 0) | (self.scores == 1)).all())

    @property
    def tied(self) -> tuple[str, ...]:
        """The best run's name, then those of the runs not significantly worse."""
        return tuple(one.name for one in self.standings if one.tied_with_best)

    @property
    def verdict(self) -> str:
        """One sentence: who is best, and who cannot be told from the best."""
        best, *others = self.tied
        if not others:
            return f"{best} is best in {self.metric}; no other run is tied with it"
        return f"{best} is tied with {', '.join(others)} in {self.metric}"

    def to_df(self) -> pd.DataFrame:
        """One row per run, best first: mean, interval, rating, tie with the best.

        Where there is no rating, `rating_place` says how the run stands to the rated
        ones; a bound of a rating is missing where it is infinite. Last stand the runs
        without a scored answer, with n = 0.
        """
        rows = [_row(one) for one in self.standings]
        rows += [
            {"run_id": run.id, "model": name, "n": 0}
            for name, run in self.unranked.items()
        ]
        return typed_frame(rows, COLUMNS)

    def pairs_df(self) -> pd.DataFrame:
        """One row per pair of runs, that with the higher mean as the candidate.

        `difference` is candidate minus baseline; the intervals of all pairs hold
        together. `p_value` is that of the pair alone, `p_simultaneous` and `p_holm`
        are corrected for all pairs; `tied` goes by Holm's.
        """
        adjusted = holm(pair.p_value for pair in self.pairs)
        rows = [
            self._pair_row(pair, float(p_holm))
            for pair, p_holm in zip(self.pairs, adjusted, strict=True)
        ]
        return typed_frame(rows, PAIR_COLUMNS)

    def groups_df(self) -> pd.DataFrame:
        """One row per group and run: its mean and interval over that group alone.

        Groups stand in order of appearance, last the samples that have none. Empty if
        no sample has a group.
        """
        return typed_frame(list(self._group_rows()), GROUP_COLUMNS)

    def _pair_row(self, pair: ModelPair, p_holm: float) -> dict[str, Any]:
        better, worse = self.standings[pair.first], self.standings[pair.second]
        return {
            "candidate": better.name,
            "baseline": worse.name,
            "candidate_run_id": better.run.id,
            "baseline_run_id": worse.run.id,
            "difference": _negative(pair.difference),
            "ci_low": _negative(pair.high),
            "ci_high": _negative(pair.low),
            "p_value": pair.p_value,
            "p_simultaneous": pair.p_adjusted,
            "p_holm": p_holm,
            "tied": p_holm > 1 - self.level,
        }

    def _group_rows(self) -> Iterator[dict[str, Any]]:
        codes, groups = pd.factorize(self.aligned.groups)
        order = np.argsort(np.where(codes < 0, len(groups), codes), kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-2))
        for rows in np.split(order, starts[1:]) if len(groups) else ():
            number = codes[rows[0]]
            group = None if number < 0 else groups[number]
            samples = self.aligned.samples[rows]
            for one, scores in zip(self.standings, self.scores[rows].T, strict=True):
                found = mean_interval(scores, samples, self.level)
                yield {"group": group, **_who(one), **_figures(found)}

    def _repr_html_(self) -> str:
        table = self.to_df().to_html(
            index=False, na_rep="–", border=0, max_rows=rich.MOST_ROWS
        )
        counted = f"{self.n:,} samples and epochs that all runs answered"
        left_out = dropped_text(self.dropped)
        notes = [
            self.verdict,
            f"{counted}; left out: {left_out}" if left_out else counted,
            *self.warnings,
        ]
        told = "".join(f"\n<p>{escape(note)}.</p>" for note in notes)
        return rich.plain(table + told)

    def __repr__(self) -> str:
        return (
            f"<Leaderboard {self.metric}: {len(self.standings)} runs, n {self.n:,}; "
            f"{self.verdict}>"
        )


def leaderboard(
    results: pd.DataFrame,
    runs: Sequence[RunRecord],
    metric: str | None = None,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Leaderboard:
    """Rank runs of the same samples by a metric, the first one unless named.

    Only the samples and epochs that all runs answered count, each once. Of
    `results` it reads `alignment.USED` and the scores. Ties with the best are those of
    `tied_with_best`, intervals of differences those of `simultaneous_intervals`,
    ratings those of `score_ratings`. Raises ValidationError for an unknown metric,
    fewer than two runs with scored answers, and runs that share none.
    """
    metric = get_metric(results, metric)
    scorer = f"{SCORE}{metric}"
    answering, silent = answering_runs(results, runs, scorer)
    aligned = align(results, answering, [scorer])
    unordered = aligned.values(results[scorer])
    means = unordered.mean(axis=0)
    order = np.argsort(-means, kind="stable")
    scores = unordered[:, order]
    how: dict[str, Any] = {"level": level, "draws": draws, "seed": seed}
    pairs = simultaneous_intervals(scores, aligned.clusters, **how)
    rated = score_ratings(scores, aligned.clusters, **how)
    tied = tied_with_best(means[order], [pair.p_value for pair in pairs], level)
    intervals = [mean_interval(one, aligned.clusters, level) for one in scores.T]
    names = dict(zip([run.id for run in runs], model_names(runs), strict=True))
    ranked = [answering[place] for place in order]
    return Leaderboard(
        metric=metric,
        level=level,
        standings=tuple(
            Standing(run, names[run.id], intervals[rank], rated[rank], rank in tied)
            for rank, run in enumerate(ranked)
        ),
        pairs=tuple(pairs),
        unranked={names[run.id]: run for run in silent},
        warnings=tuple(alignment_warnings(results, runs, list(names.values()))),
        scores=scores,
        aligned=aligned,
    )


def _row(one: Standing) -> dict[str, Any]:
    return {
        **_who(one),
        **_figures(one.interval),
        "rating": one.rating.rating,
        "rating_low": one.rating.low,
        "rating_high": one.rating.high,
        "rating_place": one.rating.place,
        "tied_with_best": one.tied_with_best,
    }


def _who(one: Standing) -> dict[str, Any]:
    return {"run_id": one.run.id, "model": one.name}


def _figures(found: Interval) -> dict[str, Any]:
    return {
        "mean": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "n": found.n,
        "method": found.method,
    }


def _negative(number: float | None) -> float | None:
    # Not -0.0 for equal means.
    return None if number is None else 0.0 - number
