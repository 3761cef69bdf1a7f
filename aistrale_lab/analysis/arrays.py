"""What the statistics take and give: checked arrays in, intervals out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aistrale_lab.errors import ValidationError

LEVEL = 0.95
"""The confidence level of all intervals where none is asked for."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Method = Literal[
    "wilson",
    "wilson_groups",
    "clopper_pearson",
    "t",
    "clustered_t",
    "bca",
    "clustered_bca",
]
"""How an interval was computed."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number over `n` values and its confidence interval, with the method's name.

    `value` is None without values; the bounds are None where there is no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    method: Method
    n: int


def finite(values: Iterable[float]) -> FloatArray:
    """The values as a flat float64 array; ValidationError for NaN and infinities."""
    ready = hasattr(values, "__array__") or isinstance(values, Sequence)
    numbers = np.asarray(values if ready else list(values), dtype=np.float64)
    if numbers.ndim != 1:
        raise ValidationError(f"expected a list of numbers, not {numbers.ndim}-D")
    if not np.isfinite(numbers).all():
        raise ValidationError(
            "NaN and infinity are no scores; leave out what is missing"
        )
    return numbers


def is_binary(numbers: FloatArray) -> bool:
    """Whether all the numbers are 0 or 1."""
    return bool(((numbers == 0) | (numbers == 1)).all())


def check_level(level: float) -> None:
    """ValidationError unless the level lies between 0 and 1."""
    if not 0 < level < 1:
        raise ValidationError(f"the level {level!r} is not between 0 and 1")


def label_codes(labels: Iterable[Any], n: int) -> tuple[list[Any], IntArray]:
    """The distinct labels in order of appearance, and for each of n its place there.

    Labels are integers, strings or anything else that hashes. Raises ValidationError
    if there are not n, or one is None or NaN.
    """
    listed = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    if len(listed) != n:
        raise ValidationError(f"{n} values have {len(listed)} labels")
    places: dict[Any, int] = {}
    codes = [places.setdefault(label, len(places)) for label in listed]
    missing = [label for label in places if _is_missing(label)]
    if missing:
        raise ValidationError(f"{missing[0]!r} is no label; name what has none")
    return list(places), np.asarray(codes, dtype=np.int64)


def repeated_codes(groups: Iterable[Any] | None, n: int) -> IntArray | None:
    """The codes of the groups of n values; None if no two values share a group."""
    if groups is None:
        return None
    distinct, codes = label_codes(groups, n)
    return codes if len(distinct) < n else None


def _is_missing(label: object) -> bool:
    return label is None or (isinstance(label, float) and math.isnan(label))
