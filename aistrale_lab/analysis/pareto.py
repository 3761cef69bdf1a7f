"""Which models nobody beats in quality and cost together, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aistrale_lab.errors import ValidationError

from .arrays import FloatArray
from .resampling import columns, drawn_means, make_units

ALIKE = 1e-12
"""Means that differ by less than this part of their size are the same."""


@dataclass(frozen=True, slots=True)
class FrontPlace:
    """A model's means over the same samples, and whether it is on the Pareto front.

    `costs` are in the order in which they were given. `probability` is the share of
    bootstrap draws in which the model is on the front.
    """

    model: int
    quality: float
    costs: tuple[float, ...]
    on_front: bool
    probability: float


def front(
    quality: ArrayLike,
    costs: Sequence[ArrayLike],
    groups: Iterable[Any] | None = None,
    *,
    draws: int = 2_000,
    seed: int = 0,
) -> list[FrontPlace]:
    """Each model's place: on the front if no other one is better and in nothing worse.

    `quality` and each of `costs` (USD, seconds to the first token, ...) are samples by
    models over the same samples; quality is better if higher, a cost if lower, both
    as means. Pareto dominance: V. Pareto, Manuale di economia politica (1906), as in
    H. T. Kung, F. Luccio and F. P. Preparata, J. ACM 22 (1975) 469-476. Samples (or
    groups) are drawn for all models and columns together, so what they share cancels:
    B. Efron and R. J. Tibshirani, An introduction to the bootstrap (1993). Empty without samples. Raises ValidationError for NaN and unequal shapes.
    """
    tables = [columns(quality), *(columns(cost) for cost in costs)]
    if len(tables) < 2 or len({table.shape for table in tables}) > 1:
        shapes = ", ".join(str(table.shape) for table in tables)
        raise ValidationError(
            f"quality and at least one cost need the same samples and models: {shapes}"
        )
    samples, models = tables[0].shape
    if not samples or not models:
        return []
    units = make_units(np.hstack([tables[0], *(-cost for cost in tables[1:])]), groups)
    scale = np.array([np.abs(table).max() for table in tables])
    rng = np.random.default_rng(seed)
    counts = sum(
        _on_front(means.reshape(-1, len(tables), models), scale).sum(axis=0)
        for means in drawn_means(units, draws, rng)
    )
    means = units.means.reshape(1, len(tables), models)
    on_front = _on_front(means, scale)[0]
    shares = np.asarray(counts) / draws
    return [
        FrontPlace(
            model=model,
            quality=float(means[0, 0, model]),
            costs=tuple((0.0 - means[0, 1:, model]).tolist()),
            on_front=bool(on_front[model]),
            probability=float(shares[model]),
        )
        for model in range(models)
    ]


def _on_front(means: FloatArray, scale: FloatArray) -> NDArray[np.bool_]:
    """Draws by models, from draws by goals by models, all the better if higher."""
    # The same values added in another order differ in their last digits.
    slack = ALIKE * scale[:, None]
    models = means.shape[2]
    on_front = np.ones((means.shape[0], models), dtype=np.bool_)
    for model in range(models):
        ahead = means - means[:, :, [model]]
        dominates = (ahead >= -slack).all(axis=1) & (ahead > slack).any(axis=1)
        on_front[:, model] = ~np.any(dominates, axis=1)
    return on_front
