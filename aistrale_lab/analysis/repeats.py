"""Samples asked more than once: reduce their epochs, and see how much they vary."""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import entr

from aistrale_lab.errors import ValidationError

from .arrays import FloatArray, IntArray, finite, is_binary, label_codes

REDUCERS = ("mean", "majority", "pass@K", "pass^K")
"""The names that `make_reducer` knows; K is a number."""


@dataclass(frozen=True, slots=True)
class Epochs:
    """The values of each sample's epochs; samples may have more or fewer of them.

    `codes` tells for each value which of the `samples` it belongs to, `counts` how many
    values each sample has.
    """

    samples: tuple[Any, ...]
    values: FloatArray
    codes: IntArray
    counts: IntArray

    def sums(self) -> FloatArray:
        """The sum over each sample's epochs."""
        sums = np.bincount(self.codes, self.values, minlength=len(self.samples))
        return np.asarray(sums, dtype=np.float64)

    def right(self) -> FloatArray:
        """How many epochs of each sample are right; ValidationError unless 0 or 1."""
        if not is_binary(self.values):
            raise ValidationError("only epochs that are 0 or 1 are right or wrong")
        return self.sums()


Reducer = Callable[[Epochs], FloatArray]
"""One number for each sample; NaN for a sample with too few epochs to tell."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """One value for each sample, in the samples' order of appearance.

    `left_out` counts the samples that had too few epochs for the reducer.
    """

    samples: tuple[Any, ...]
    values: FloatArray
    left_out: int


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """How much values vary between samples, and within the epochs of a sample.

    A part is None where it cannot be told: without repeats, or with one sample only.
    """

    between: float | None
    within: float | None
    samples: int
    n: int


@dataclass(frozen=True, slots=True)
class SampleRepeats:
    """How the answers to one sample differ; `flip_rate` is None with one epoch."""

    sample: Any
    epochs: int
    distinct: int
    flip_rate: float | None
    entropy: float


def reduce_epochs(
    values: Iterable[float], sample_index: Iterable[Any], reducer: Reducer
) -> Reduced:
    """One value for each sample: its mean, its majority, or its chance to pass."""
    epochs = _epochs(values, sample_index)
    reduced = reducer(epochs)
    known = ~np.isnan(reduced)
    kept = np.flatnonzero(known)
    return Reduced(
        tuple(epochs.samples[place] for place in kept),
        reduced[known],
        reduced.size - kept.size,
    )


def epochs_mean(epochs: Epochs) -> FloatArray:
    """The mean of each sample's epochs."""
    return epochs.sums() / epochs.counts


def majority(epochs: Epochs) -> FloatArray:
    """1 if most epochs of a sample are right, 0 if most are wrong, 0.5 on a tie.

    Self-consistency (X. Wang et al., arXiv 2203.11171 (2022)) over right and wrong. A
    tie counts half, what a fair coin gives on average, so it favours nobody.
    """
    return (np.sign(2 * epochs.right() - epochs.counts) + 1) / 2


def pass_at_k(k: int) -> Reducer:
    """The unbiased chance that at least one of k epochs is right: 1 - C(n-c,k)/C(n,k).

    M. Chen et al., Evaluating large language models trained on code, arXiv 2107.03374
    (2021), section 2.1. A sample with fewer than k epochs is left out.
    """
    _check_k(k)

    def reduce(epochs: Epochs) -> FloatArray:
        wrong = epochs.counts - epochs.right()
        return 1 - _all_drawn(wrong, epochs.counts, k)

    return reduce


def pass_hat_k(k: int) -> Reducer:
    """The unbiased chance that all of k epochs are right: C(c,k)/C(n,k).

    S. Yao et al., tau-bench, arXiv 2406.12045 (2024). A sample with fewer
    than k epochs is left out.
    """
    _check_k(k)

    def reduce(epochs: Epochs) -> FloatArray:
        return _all_drawn(epochs.right(), epochs.counts, k)

    return reduce


def make_reducer(name: str) -> Reducer:
    """The reducer of that name: mean, majority, pass@3, pass^3."""
    plain: dict[str, Reducer] = {"mean": epochs_mean, "majority": majority}
    if name in plain:
        return plain[name]
    found = re.fullmatch(r"pass([@^])([0-9]+)", name)
    if not found:
        raise ValidationError(
            f"unknown reducer {name!r}; known reducers: {', '.join(REDUCERS)}"
        )
    make = pass_at_k if found[1] == "@" else pass_hat_k
    return make(int(found[2]))


def variance_parts(
    values: Iterable[float], sample_index: Iterable[Any]
) -> VarianceParts:
    """The variance between and within samples, apart and unbiased.

    The one-way analysis of variance for unequal numbers of epochs: S. R. Searle, G.
    Casella and C. E. McCulloch, Variance components (1992), chapter 3; a between part
    that comes out negative is 0. Their use for evals: E. Miller, arXiv 2411.00640
    (2024).
    """
    epochs = _epochs(values, sample_index)
    n, count = epochs.values.size, len(epochs.samples)
    if n == count:
        return VarianceParts(None, None, count, n)
    means = epochs_mean(epochs)
    within = float(np.sum((epochs.values - means[epochs.codes]) ** 2)) / (n - count)
    if count < 2:
        return VarianceParts(None, within, count, n)
    deviations = (means - epochs.values.mean()) ** 2
    mean_square = float(epochs.counts @ deviations) / (count - 1)
    typical = (n - float(epochs.counts @ epochs.counts) / n) / (count - 1)
    between = max(0.0, (mean_square - within) / typical)
    return VarianceParts(between, within, count, n)


def repeats(
    answers: Iterable[Hashable], sample_index: Iterable[Any]
) -> tuple[SampleRepeats, ...]:
    """How the answers to each sample differ, in the samples' order of appearance.

    `flip_rate` is the unbiased chance that two epochs of the sample give different
    answers, one minus the index of E. H. Simpson, Measurement of diversity, Nature 163
    (1949) 688; `entropy` is that of the shares of the answers, in bits (C. E. Shannon,
    A mathematical theory of communication, Bell Syst. Tech. J. 27 (1948) 379-423).
    """
    listed = list(answers)
    samples, sample_codes = label_codes(sample_index, len(listed))
    kinds, answer_codes = label_codes(listed, len(listed))
    if not listed:
        return ()
    # One number for each sample and answer, so that equal ones are counted together.
    both = sample_codes * len(kinds) + answer_codes
    cells, times = np.unique(both, return_counts=True)
    owners = cells // len(kinds)
    counts = np.bincount(sample_codes)
    distinct = np.bincount(owners)
    pairs = counts * (counts - 1)
    same = np.bincount(owners, weights=times * (times - 1))
    flips = 1 - same / np.maximum(pairs, 1)
    bits = np.bincount(owners, weights=entr(times / counts[owners])) / np.log(2)
    rows = zip(samples, counts, distinct, flips, np.maximum(bits, 0), strict=True)
    return tuple(
        SampleRepeats(
            sample, int(n), int(kind), float(flip) if n > 1 else None, float(entropy)
        )
        for sample, n, kind, flip, entropy in rows
    )


def _epochs(values: Iterable[float], sample_index: Iterable[Any]) -> Epochs:
    numbers = finite(values)
    samples, codes = label_codes(sample_index, numbers.size)
    counts = np.bincount(codes, minlength=len(samples))
    return Epochs(tuple(samples), numbers, codes, counts)


def _all_drawn(hits: FloatArray, counts: IntArray, k: int) -> FloatArray:
    # C(hits, k) / C(counts, k) as a product, which does not overflow.
    ratio = np.ones(hits.size)
    for drawn in range(k):
        left = np.maximum(counts - drawn, 1)
        ratio *= np.maximum(hits - drawn, 0) / left
    return np.where(counts >= k, ratio, np.nan)


def _check_k(k: int) -> None:
    if k < 1:
        raise ValidationError(f"k must be at least 1, not {k}")
