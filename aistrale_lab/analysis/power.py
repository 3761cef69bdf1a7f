"""Before spending: which difference n pairs can show, and how many pairs one needs."""

from math import ceil, inf, sqrt

from scipy.special import ndtri

from aistrale_lab.errors import ValidationError

from .arrays import LEVEL, check_level

POWER = 0.8
"""The probability to find a difference that is there, where none is asked for."""


def design_effect(group_size: float, intra_group_correlation: float) -> float:
    """How many times more samples are needed because groups of them are alike.

    L. Kish, Survey sampling (1965): 1 + (size - 1) * correlation, for
    groups of about equal size. It is the square of the ratio of the clustered to the
    naive standard error in E. Miller, arXiv 2411.00640 (2024), section 2.2.
    """
    if not 1 <= group_size < inf or not -1 <= intra_group_correlation <= 1:
        raise ValidationError(
            f"groups of {group_size!r} with correlation {intra_group_correlation!r}: "
            "expected a size of at least 1 and a correlation from -1 to 1"
        )
    effect = 1 + (group_size - 1) * intra_group_correlation
    if effect <= 0:
        raise ValidationError(
            f"groups of {group_size!r} cannot have the correlation "
            f"{intra_group_correlation!r}"
        )
    return effect


def difference_spread(
    between: float,
    within_baseline: float = 0.0,
    within_candidate: float = 0.0,
    epochs: int = 1,
) -> float:
    """The standard deviation of one sample's difference, averaged over its epochs.

    E. Miller, arXiv 2411.00640 (2024), section 5: from the variance between samples of
    their expected differences, and each side's mean variance within a sample.
    """
    variances = (between, within_baseline, within_candidate)
    if epochs < 1 or not all(0 <= variance < inf for variance in variances):
        raise ValidationError(
            f"{epochs} epochs with variances {variances}: expected at least 1 epoch "
            "and no negative variance"
        )
    return sqrt(between + (within_baseline + within_candidate) / epochs)


def pairs_needed(
    effect: float,
    spread: float,
    *,
    level: float = LEVEL,
    power: float = POWER,
    design: float = 1.0,
) -> int:
    """How many pairs show a mean difference of `effect`, two-sided.

    E. Miller, arXiv 2411.00640 (2024), section 5, for the normal test: the square of
    (z_level + z_power) * spread / effect. For Student's t, half the square of z_level
    more: W. C. Guenther, Sample size formulas for normal theory t tests, Am. Stat. 35
    (1981) 243-244. `spread` is the standard deviation of the differences, `design`
    the `design_effect` of groups.
    """
    one, other = _quantiles(level, power, design)
    _check_effect(effect)
    _check_spread(spread)
    pairs = ((one + other) * spread / effect) ** 2 + one**2 / 2
    return max(2, ceil(pairs * design))


def detectable_difference(
    n: int,
    spread: float,
    *,
    level: float = LEVEL,
    power: float = POWER,
    design: float = 1.0,
) -> float | None:
    """The smallest mean difference that n pairs show; None if they are too few.

    `pairs_needed` solved for the effect.
    """
    one, other = _quantiles(level, power, design)
    _check_n(n)
    _check_spread(spread)
    left = n / design - one**2 / 2
    if n < 2 or left <= 0:
        return None
    return (one + other) * spread / sqrt(left)


def binary_pairs_needed(
    effect: float,
    discordance: float,
    *,
    level: float = LEVEL,
    power: float = POWER,
    design: float = 1.0,
) -> int:
    """How many pairs of 0 and 1 show a difference of `effect` in McNemar's test.

    R. J. Connor, Sample size for testing differences in proportions for the
    paired-sample design, Biometrics 43 (1987) 207-211, without a correction: the exact
    test needs a few per cent more. `discordance` is the share of pairs that differ,
    which is at least the size of the effect.
    """
    one, other = _quantiles(level, power, design)
    _check_effect(effect)
    _check_discordance(discordance)
    if abs(effect) > discordance:
        raise ValidationError(
            f"an effect of {effect!r} needs at least that share of pairs that differ, "
            f"not {discordance!r}"
        )
    root = one * sqrt(discordance) + other * sqrt(discordance - effect**2)
    return ceil((root / effect) ** 2 * design)


def binary_detectable_difference(
    n: int,
    discordance: float,
    *,
    level: float = LEVEL,
    power: float = POWER,
    design: float = 1.0,
) -> float | None:
    """The smallest difference that n pairs of 0 and 1 show; None if there is none.

    `binary_pairs_needed` solved for the effect; there is none if it would have to be
    larger than the discordance.
    """
    one, other = _quantiles(level, power, design)
    _check_n(n)
    _check_discordance(discordance)
    effective = n / design
    inner = effective + other**2 - one**2
    if effective <= 0 or inner < 0:
        return None
    root = one * sqrt(effective) + other * sqrt(inner)
    effect = sqrt(discordance) * root / (effective + other**2)
    return effect if 0 < effect <= discordance else None


def _quantiles(level: float, power: float, design: float) -> tuple[float, float]:
    check_level(level)
    if not 0.5 <= power < 1:
        raise ValidationError(f"the power {power!r} is not from 0.5 to below 1")
    if not 0 < design < inf:
        raise ValidationError(f"the design effect {design!r} is not a positive number")
    return float(ndtri((1 + level) / 2)), float(ndtri(power))


def _check_effect(effect: float) -> None:
    if not 0 < abs(effect) < inf:
        raise ValidationError(f"no number of pairs shows an effect of {effect!r}")


def _check_spread(spread: float) -> None:
    if not 0 <= spread < inf:
        raise ValidationError(f"the spread {spread!r} is no standard deviation")


def _check_discordance(discordance: float) -> None:
    if not 0 <= discordance <= 1:
        raise ValidationError(f"the discordance {discordance!r} is not within 0 and 1")


def _check_n(n: int) -> None:
    if n < 0:
        raise ValidationError(f"{n} pairs cannot be")
