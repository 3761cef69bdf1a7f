"""The difference between two aligned columns: interval, tests, effect size."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from aistrale_lab.errors import ValidationError

from .arrays import (
    LEVEL,
    FloatArray,
    IntArray,
    Interval,
    check_level,
    finite,
    is_binary,
    repeated_codes,
)
from .bootstrap import bca, clustered_bca, mean
from .intervals import clustered_t, t_interval
from .significance import mcnemar_exact, sign_flip, wilcoxon_signed_rank

PairedMethod = Literal["paired_t", "clustered_t", "score", "score_groups"]
"""How the interval of a paired difference was computed."""


@dataclass(frozen=True, slots=True)
class PairedTests:
    """Two-sided p-values; None where a test does not apply.

    `mcnemar` is for pairs of 0 and 1; it and `wilcoxon` take each pair as independent,
    and so are None if groups repeat. `permutation` flips whole groups.
    """

    mcnemar: float | None
    wilcoxon: float | None
    permutation: float | None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much higher the candidate is than the baseline, over `n` pairs.

    `wins` counts the pairs whose candidate is the higher one, whether that is good (a
    score) or bad (a duration). `cohens_dz` is None without variation, `odds_ratio`
    (wins to losses, for pairs of 0 and 1) None without losses.
    """

    difference: float | None
    low: float | None
    high: float | None
    n: int
    method: PairedMethod
    bca: Interval
    wins: int
    losses: int
    ties: int
    cohens_dz: float | None
    odds_ratio: float | None
    tests: PairedTests


def paired_difference(
    baseline: Iterable[float],
    candidate: Iterable[float],
    groups: Iterable[Any] | None = None,
    *,
    binary: bool | None = None,
    level: float = LEVEL,
    draws: int = 2_000,
    seed: int = 0,
) -> PairedDifference:
    """Candidate minus baseline, pair by pair.

    `binary` None looks at the values: all 0 or 1 are right or wrong.

    The interval is Student's t of the differences (E. Miller, arXiv 2411.00640 (2024)),
    clustered if groups repeat, with the BCa bootstrap beside it. Pairs of
    0 and 1 that all differ alike get `score_interval` instead, with one pair for each
    group if groups repeat. Raises ValidationError for NaN and for unequal lengths.
    """
    check_level(level)
    before, after = finite(baseline), finite(candidate)
    if before.size != after.size:
        raise ValidationError(f"{before.size} and {after.size} values make no pairs")
    differences = after - before
    codes = repeated_codes(groups, differences.size)
    if binary is None:
        binary = is_binary(before) and is_binary(after)
    low, high, method = _bounds(differences, codes, binary, level)
    wins, losses = int(np.sum(after > before)), int(np.sum(after < before))
    return PairedDifference(
        difference=mean(differences) if differences.size else None,
        low=low,
        high=high,
        n=differences.size,
        method=method,
        bca=_bootstrap(differences, codes, draws, seed, level),
        wins=wins,
        losses=losses,
        ties=differences.size - wins - losses,
        cohens_dz=cohens_dz(differences),
        odds_ratio=wins / losses if binary and losses else None,
        tests=_tests(differences, codes, binary, draws, seed),
    )


def cohens_dz(differences: Iterable[float]) -> float | None:
    """The mean difference in units of its standard deviation; None if they are equal.

    J. Cohen, Statistical power analysis for the behavioral sciences (2nd ed., 1988),
    section 2.3.5.
    """
    numbers = finite(differences)
    if numbers.size < 2:
        return None
    spread = float(numbers.std(ddof=1))
    # Equal differences of unequal numbers vary in their last digits.
    if spread <= 1e-12 * float(np.abs(numbers).max()):
        return None
    return mean(numbers) / spread


def score_interval(
    difference: float, n: int, level: float = LEVEL
) -> tuple[float, float]:
    """The score interval of n pairs of 0 and 1 that all differ by -1, 0 or 1.

    T. Tango, Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design, Stat. Med. 17 (1998) 891-908, whose
    equations have a closed form here. Student's t would claim certainty.
    """
    check_level(level)
    if n < 1 or difference not in (-1, 0, 1):
        raise ValidationError(f"{n} pairs cannot all differ by {difference!r}")
    squared = float(ndtri((1 + level) / 2)) ** 2
    if difference == 0:
        return -squared / (n + squared), squared / (n + squared)
    inner = (n - squared) / (n + squared)
    return (inner, 1.0) if difference > 0 else (-1.0, -inner)


def _bounds(
    differences: FloatArray, codes: IntArray | None, binary: bool, level: float
) -> tuple[float | None, float | None, PairedMethod]:
    if binary and differences.size and (differences == differences[0]).all():
        units = differences.size if codes is None else int(codes.max()) + 1
        low, high = score_interval(float(differences[0]), units, level)
        return low, high, "score" if codes is None else "score_groups"
    if codes is None:
        interval = t_interval(differences, level)
        return interval.low, interval.high, "paired_t"
    interval = clustered_t(differences, codes, level)
    return interval.low, interval.high, "clustered_t"


def _bootstrap(
    differences: FloatArray,
    codes: IntArray | None,
    draws: int,
    seed: int,
    level: float,
) -> Interval:
    if codes is None:
        return bca(differences, mean, draws, seed, level)
    return clustered_bca(differences, codes, draws, seed, level)


def _tests(
    differences: FloatArray,
    codes: IntArray | None,
    binary: bool,
    draws: int,
    seed: int,
) -> PairedTests:
    if codes is not None:
        sums = np.bincount(codes, weights=differences)
        return PairedTests(None, None, sign_flip(sums, draws, seed))
    mcnemar = None
    if binary:
        mcnemar = mcnemar_exact(
            int(np.sum(differences > 0)), int(np.sum(differences < 0))
        )
    return PairedTests(
        mcnemar if differences.size else None,
        wilcoxon_signed_rank(differences),
        sign_flip(differences, draws, seed),
    )
