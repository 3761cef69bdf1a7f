"""Tests of paired differences: two-sided p-values, never 0."""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import bdtr

from aistrale_lab.errors import ValidationError

from .arrays import FloatArray, finite

EXACT_UP_TO = 13
"""With at most so many differences that are not 0, all their signs are tried."""

FLIPS_TOGETHER = 8
"""Differences whose signs are drawn as the bits of one byte."""

TABLES_TOGETHER = 64
"""So many eights are drawn at once: fewer calls, and little memory."""

SIGNS = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1
"""The 256 ways to give signs to eight differences."""


def mcnemar_exact(wins: int, losses: int) -> float:
    """The exact p-value that wins and losses are equally likely; 1 if there are none.

    Q. McNemar, Note on the sampling error of the difference between correlated
    proportions or percentages, Psychometrika 12 (1947) 153-157; exact, by twice the
    smaller tail of the binomial distribution, at most 1.
    """
    if wins < 0 or losses < 0:
        raise ValidationError(f"{wins} wins and {losses} losses cannot be counted")
    if wins + losses == 0:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def wilcoxon_signed_rank(differences: Iterable[float]) -> float | None:
    """The p-value of Wilcoxon's test; 1 if all differences are 0, None without any.

    F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bull. 1 (1945)
    80-83, as scipy's `wilcoxon` with its own choice of exact or normal distribution;
    zeros are left out. Where scipy tries all signs, it takes seconds, and this none.
    """
    from scipy.stats import rankdata, wilcoxon  # most of a second, only where asked for

    numbers = finite(differences)
    if not numbers.size:
        return None
    if not numbers.any():
        return 1.0
    if numbers.size <= EXACT_UP_TO:
        numbers = numbers[numbers != 0]
        return sign_flip(np.sign(numbers) * rankdata(np.abs(numbers)))
    return float(wilcoxon(numbers).pvalue)


def sign_flip(
    differences: Iterable[float], draws: int = 2_000, seed: int = 0
) -> float | None:
    """The p-value that the differences are as likely to have the opposite sign.

    R. A. Fisher, The design of experiments (1935), section 21: exact for EXACT_UP_TO
    differences or fewer; else from random signs as (b + 1) / (m + 1), B. Phipson and
    G. K. Smyth, Permutation p-values should never be zero, Stat. Appl. Genet. Mol.
    Biol. 9 (2010) 39. Groups that may only flip together are given as their sums.
    """
    if draws < 1:
        raise ValidationError(f"a test of {draws} draws says nothing")
    numbers = finite(differences)
    if not numbers.size:
        return None
    sizes = np.abs(numbers[numbers != 0])
    # The same numbers added in another order differ in their last digits.
    reached = abs(float(numbers.sum())) - 1e-12 * float(sizes.sum())
    if sizes.size <= EXACT_UP_TO:
        return float(np.mean(np.abs(_all_flips(sizes)) >= reached))
    totals = _random_flips(sizes, draws, np.random.default_rng(seed))
    return float((np.sum(np.abs(totals) >= reached) + 1) / (draws + 1))


def _all_flips(sizes: FloatArray) -> FloatArray:
    totals = np.zeros(1)
    for size in sizes:
        totals = np.concatenate([totals - size, totals + size])
    return totals


def _random_flips(
    sizes: FloatArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    distinct, times = np.unique(sizes, return_counts=True)
    if distinct.size <= sizes.size / FLIPS_TOGETHER:
        positive = rng.binomial(times, 0.5, size=(draws, distinct.size))
        return np.asarray((2.0 * positive - times) @ distinct)
    totals = np.zeros(draws)
    for tables in _tables(sizes):
        signs = rng.integers(0, 256, size=(len(tables), draws), dtype=np.uint8)
        for table, row in zip(tables, signs, strict=True):
            totals += table[row]
    return totals


def _tables(sizes: FloatArray) -> Iterator[FloatArray]:
    # All signed sums of eight differences are computed once and then looked up: eight
    # times fewer additions than with one sign at a time, and exact.
    padded = np.pad(sizes, (0, -sizes.size % FLIPS_TOGETHER))
    eights = padded.reshape(-1, FLIPS_TOGETHER)
    for start in range(0, len(eights), TABLES_TOGETHER):
        yield eights[start : start + TABLES_TOGETHER] @ SIGNS.T
