"""A number over many scores, always with its n and its interval."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from aistrale_lab.domain.values import Value
from . import intervals
from .arrays import LEVEL, Method, finite
from .clustering import cluster_labels


class Metric(Value):
    """A mean with its confidence interval, over `n` scores.

    `value` is None without scores; the bounds are None where there is no interval.
    """

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    method: Method


def score_metric(
    scores: "pd.Series[float]",
    sample_ids: "pd.Series[str]",
    groups: "pd.Series[str]",
    level: float = LEVEL,
) -> Metric:
    """The mean score of samples, with the interval of `intervals.mean_interval`.

    The epochs of a sample are one observation, their mean: they tell of the model's
    dice, not of other questions (E. Miller, arXiv 2411.00640 (2024)). Samples of one
    group are clustered. `n` counts the scores.
    """
    by_sample = pd.DataFrame({"score": scores, "sample": sample_ids, "group": groups})
    if sample_ids.duplicated().any():
        by_sample = by_sample.groupby("sample", sort=False, as_index=False).agg(
            {"score": "mean", "group": "first"}
        )
    labels = cluster_labels(by_sample["group"], by_sample["sample"])
    found = intervals.mean_interval(by_sample["score"].to_numpy(), labels, level)
    return Metric(
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        n=len(scores),
        method=found.method,
    )


def percentile(values: Iterable[float], q: float) -> float | None:
    """The q-th percentile, linear between the nearest values; None without values.

    Definition 7 of R. J. Hyndman and Y. Fan, Sample quantiles in statistical
    packages, Am. Stat. 50 (1996) 361-365, numpy's default.
    """
    numbers = finite(values)
    return float(np.percentile(numbers, q)) if numbers.size else None
