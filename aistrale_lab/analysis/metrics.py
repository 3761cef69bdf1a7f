"""A number over many scores, always with its n and its interval."""

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ValidationError

LEVEL = 0.95
"""The confidence level of all intervals where none is asked for."""

Method = Literal["wilson", "t"]
"""How an interval was computed."""

Interval = tuple[float, float]


class Metric(Value):
    """A mean with its confidence interval, over `n` scores.

    `value` is None without scores; the bounds are None where there is no interval.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    method: Method


def mean_metric(
    values: Iterable[float], *, binary: bool | None = None, level: float = LEVEL
) -> Metric:
    """The mean of scores: with Wilson's interval if they are 0 or 1, else Student's t.

    `binary` None looks at the values: all 0 or 1 are a proportion. Scores that are
    missing must be left out before; raises ValidationError for NaN and infinities,
    and for other values than 0 and 1 if `binary` is true.
    """
    scores = _finite(values)
    is_proportion = bool(np.isin(scores, (0.0, 1.0)).all())
    if binary and not is_proportion:
        raise ValidationError("binary scores must be 0 or 1")
    method: Method = "t" if binary is False or not is_proportion else "wilson"
    if not scores.size:
        return Metric(method=method)
    if method == "wilson":
        interval = wilson_interval(int(scores.sum()), scores.size, level)
    else:
        interval = t_interval(scores, level)
    low, high = interval or (None, None)
    return Metric(
        value=float(scores.mean()),
        ci_low=low,
        ci_high=high,
        n=scores.size,
        method=method,
    )


def wilson_interval(successes: int, n: int, level: float = LEVEL) -> Interval | None:
    """The score interval of a proportion, without continuity correction; None if n = 0.

    E. B. Wilson, Probable inference, the law of succession, and statistical
    inference, J. Am. Stat. Assoc. 22 (1927) 209-212. It lies within 0 and 1, and has
    a width even where all or none succeed.
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise ValidationError(f"{successes} of {n} is no proportion")
    if n == 0:
        return None
    z = float(ndtri((1 + level) / 2))
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if successes == n else min(1.0, (centre + half) / scale)
    return low, high


def t_interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """The interval of a mean by Student's t distribution; None for less than 2 values.

    Student (W. S. Gosset), The probable error of a mean, Biometrika 6 (1908) 1-25;
    the standard error is s / sqrt(n), with s over n - 1.
    """
    _check_level(level)
    numbers = _finite(values)
    if numbers.size < 2:
        return None
    mean = float(numbers.mean())
    error = float(numbers.std(ddof=1)) / math.sqrt(numbers.size)
    half = float(stdtrit(numbers.size - 1, (1 + level) / 2)) * error
    return mean - half, mean + half


def percentile(values: Iterable[float], q: float) -> float | None:
    """The q-th percentile, linear between the nearest values; None without values.

    Definition 7 of R. J. Hyndman and Y. Fan, Sample quantiles in statistical
    packages, Am. Stat. 50 (1996) 361-365, numpy's default.
    """
    numbers = _finite(values)
    return float(np.percentile(numbers, q)) if numbers.size else None


def _finite(values: Iterable[float]) -> NDArray[np.float64]:
    sequence = values if isinstance(values, np.ndarray) else list(values)
    numbers = np.asarray(sequence, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValidationError(
            "NaN and infinity are no scores; leave out what is missing"
        )
    return numbers


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValidationError(f"the level {level!r} is not between 0 and 1")
