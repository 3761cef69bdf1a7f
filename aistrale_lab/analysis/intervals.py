"""Confidence intervals of a mean and of a proportion.

The bootstrap stands in `bootstrap`; its `bca` is a public name of this module too.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from aistrale_lab.errors import ValidationError

from .arrays import (
    LEVEL,
    FloatArray,
    IntArray,
    Interval,
    Method,
    check_level,
    finite,
    is_binary,
    label_codes,
    repeated_codes,
)
from .bootstrap import bca

__all__ = [
    "LEVEL",
    "WILSON_BELOW",
    "Interval",
    "bca",
    "clopper_pearson",
    "clustered_t",
    "mean_interval",
    "t_interval",
    "wilson",
]

WILSON_BELOW = 300
"""From so many 0/1 values on, the t interval covers as it should.

Below a few hundred it does not: Bowyer, Aitchison and Ivanova, Position: don't use the
CLT in LLM evals with fewer than a few hundred datapoints, arXiv 2503.01747 (2025).
"""


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """The score interval of a proportion, without continuity correction.

    E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, J. Am. Stat. Assoc. 22 (1927) 209-212. It lies within 0 and 1, and has
    a width even where all or none succeed.
    """
    _check_proportion(successes, n, level)
    if n == 0:
        return _unknown("wilson")
    z = float(ndtri((1 + level) / 2))
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if successes == n else min(1.0, (centre + half) / scale)
    return Interval(share, low, high, "wilson", n)


def clopper_pearson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """The exact interval of a proportion: it never covers less than its level.

    C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits
    illustrated in the case of the binomial, Biometrika 26 (1934) 404-413.
    """
    _check_proportion(successes, n, level)
    if n == 0:
        return _unknown("clopper_pearson")
    tail = (1 - level) / 2
    failures = n - successes
    low = betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return Interval(successes / n, float(low), float(high), "clopper_pearson", n)


def t_interval(values: Iterable[float], level: float = LEVEL) -> Interval:
    """The interval of a mean by Student's t distribution; unknown for one value.

    Student (W. S. Gosset), The probable error of a mean, Biometrika 6 (1908) 1-25;
    the standard error is s / sqrt(n), with s over n - 1.
    """
    check_level(level)
    numbers = finite(values)
    if numbers.size == 0:
        return _unknown("t")
    if numbers.size == 1:
        return Interval(float(numbers[0]), None, None, "t", 1)
    error = float(numbers.std(ddof=1)) / math.sqrt(numbers.size)
    return _around(numbers, error, numbers.size - 1, level, "t")


def clustered_t(
    values: Iterable[float], groups: Iterable[Any], level: float = LEVEL
) -> Interval:
    """The interval of a mean whose values share groups; unknown for one group.

    The clustered standard error of E. Miller, Adding error bars to evals, arXiv
    2411.00640 (2024), times sqrt(G / (G - 1)) for G groups, and Student's
    t with G - 1 degrees of freedom (A. C. Cameron and D. L. Miller, A practitioner's
    guide to cluster-robust inference, J. Hum. Resour. 50 (2015) 317-372, section VI).
    """
    check_level(level)
    numbers = finite(values)
    distinct, codes = label_codes(groups, numbers.size)
    return _clustered(numbers, codes, len(distinct), level)


def mean_interval(
    values: Iterable[float],
    groups: Iterable[Any] | None = None,
    level: float = LEVEL,
) -> Interval:
    """The interval that suits the values; its `method` says which one that is.

    `clustered_t` if groups repeat; else `wilson` for fewer than WILSON_BELOW values of
    0 or 1, and `t` for the rest. Zeros and ones that are all alike never get an
    interval without a width: Wilson's is taken at any n, and if groups repeat, with
    one trial for each group (`wilson_groups`), as if a group were one answer. Intervals
    of zeros and ones are cut at 0 and 1.
    """
    check_level(level)
    numbers = finite(values)
    codes = repeated_codes(groups, numbers.size)
    binary = is_binary(numbers)
    alike = binary and bool((numbers == numbers[:1]).all())
    if codes is None:
        if alike or (binary and numbers.size < WILSON_BELOW):
            return wilson(int(numbers.sum()), numbers.size, level)
        return t_interval(numbers, level)
    count = int(codes.max()) + 1
    if not alike:
        found = _clustered(numbers, codes, count, level)
        return _within_0_and_1(found) if binary else found
    one_each = wilson(int(numbers[0]) * count, count, level)
    share = float(numbers[0])
    return Interval(share, one_each.low, one_each.high, "wilson_groups", numbers.size)


def _within_0_and_1(found: Interval) -> Interval:
    """Cut where no proportion can lie; Student's t does not know that."""
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def _clustered(
    numbers: FloatArray, codes: IntArray, count: int, level: float
) -> Interval:
    if numbers.size == 0:
        return _unknown("clustered_t")
    if count == 1:
        return Interval(float(numbers.mean()), None, None, "clustered_t", numbers.size)
    sums = np.bincount(codes, weights=numbers - numbers.mean(), minlength=count)
    variance = float(sums @ sums) * count / (count - 1)
    error = math.sqrt(variance) / numbers.size
    return _around(numbers, error, count - 1, level, "clustered_t")


def _around(
    numbers: FloatArray, error: float, degrees: int, level: float, method: Method
) -> Interval:
    mean = float(numbers.mean())
    half = float(stdtrit(degrees, (1 + level) / 2)) * error
    return Interval(mean, mean - half, mean + half, method, numbers.size)


def _unknown(method: Method) -> Interval:
    return Interval(None, None, None, method, 0)


def _check_proportion(successes: int, n: int, level: float) -> None:
    check_level(level)
    if not 0 <= successes <= n:
        raise ValidationError(f"{successes} of {n} is no proportion")
