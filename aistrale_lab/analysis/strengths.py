"""The maximum likelihood of the Bradley-Terry model, for many tables of wins at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .arrays import FloatArray

BoolArray = NDArray[np.bool_]

MOST_STEPS = 1_000
"""Newton steps before the search is given up; ten are usual."""

CONVERGED = 1e-10
"""The largest last step, in natural logarithms of odds."""


def standings(wins: FloatArray) -> tuple[BoolArray, FloatArray]:
    """In each table: the models that can be rated, and where the others stand.

    `wins` are tables by models by models. Rated is the largest set in which everybody
    can be reached from everybody by wins, if it has two models or more; of equal sets
    that with the first model (L. R. Ford, Am. Math. Mon. 64 (1957) 28-33). The second
    array is 0 for them, infinity for who is above them (reaches them, but is not
    reached), minus infinity for who is below, NaN for who is apart. Where nobody can
    be rated, it says so of who is above, or below, everybody whom wins connect him to.
    """
    reaches = _reaches(wins)
    mutual = reaches & np.swapaxes(reaches, 1, 2)
    sizes = mutual.sum(axis=2)
    centre = sizes.argmax(axis=1)
    tables = np.arange(wins.shape[0])
    rated = mutual[tables, centre] & (sizes.max(axis=1) > 1)[:, None]
    others = ~np.eye(wins.shape[1], dtype=np.bool_)
    known = rated.any(axis=1)[:, None]
    up = np.where(known, reaches[tables, :, centre], (reaches & others).any(axis=2))
    down = np.where(known, reaches[tables, centre], (reaches & others).any(axis=1))
    places = np.where(up, np.inf, -np.inf)
    places[up == down] = np.nan
    places[rated] = 0
    return rated, places


def strengths(wins: FloatArray, rated: BoolArray) -> FloatArray:
    """The logarithms of the odds of the rated models, with mean 0; 0 for the others.

    Newton's method on the log-likelihood of R. A. Bradley and M. E. Terry, Biometrika
    39 (1952) 324-345. The step is shortened to log(1 + d) / d of Newton's, d being the
    largest change of a difference, which always gains (T. Sun and Q. Tran-Dinh,
    Generalized self-concordant functions, Math. Program. 178 (2019) 145-213).
    """
    both = rated[:, :, None] & rated[:, None, :]
    won = np.where(both, wins, 0.0)
    total = won + np.swapaxes(won, 1, 2)
    found = np.zeros(rated.shape)
    active = np.flatnonzero(rated.any(axis=1))
    for _ in range(MOST_STEPS):
        if not active.size:
            break
        step = _newton_step(won[active], total[active], rated[active], found[active])
        change = np.ptp(step, axis=1)
        found[active] += _shortening(change)[:, None] * step
        active = active[change > CONVERGED]
    return found


def _reaches(wins: FloatArray) -> BoolArray:
    models = wins.shape[1]
    paths = ((wins > 0) | np.eye(models, dtype=np.bool_)).astype(np.float32)
    length = 1
    while length < models:
        paths = (paths @ paths > 0).astype(np.float32)
        length *= 2
    return np.asarray(paths > 0)


def _newton_step(
    won: FloatArray, total: FloatArray, rated: BoolArray, at: FloatArray
) -> FloatArray:
    ahead = at[:, :, None] - at[:, None, :]
    # Not as wins less expected wins: 1e9 - (1e9 - 1) would leave few digits.
    win, loss = expit(ahead), expit(-ahead)
    gradient = (won * loss - np.swapaxes(won, 1, 2) * win).sum(axis=2)
    weights = total * win * loss
    hessian = -weights
    # Only differences matter: a constant added to all strengths is fixed at mean 0.
    scale = weights.max(axis=(1, 2), initial=0)[:, None, None]
    hessian += scale * (rated[:, :, None] & rated[:, None, :])
    diagonal = np.arange(at.shape[1])
    hessian[:, diagonal, diagonal] += np.where(rated, weights.sum(axis=2), 1.0)
    return np.asarray(np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0])


def _shortening(change: FloatArray) -> FloatArray:
    return np.where(change > 0, np.log1p(change) / np.where(change > 0, change, 1), 1.0)
