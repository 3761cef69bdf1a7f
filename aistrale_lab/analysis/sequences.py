"""Looking at a paired difference after every sample, without losing its level.

`ConfidenceSequence` is the interval, `Wealth` the bets behind it: for each candidate
mean a player who bets against it. Nobody can expect to win against the true mean, so
whoever multiplied the stake by 1 / (1 - level) has shown that the candidate is false.
"""

from collections.abc import Iterable

import numpy as np
from scipy.special import log_ndtr, ndtri, ndtri_exp

from aistrale_lab.errors import ValidationError

from .arrays import LEVEL, FloatArray, check_level, finite

CANDIDATES = 401
"""Means that are tried, evenly from -1 to 1; so 0 is one of them."""

EFFECT = 0.1
"""The difference that the bets are tuned to, where none is given."""

SLOW, FAST = 0.3, 1.2
"""Two constant bets, in units of the best one against the tuned effect."""

SHARES = (0.2, 0.25, 0.55)
"""Of the stake: on the slow bet, the fast bet, and the bet with a deadline.

Chosen by simulation for an early decision if the effect is the tuned one; no choice
touches the level. The slow bet is for smaller effects, found late.
"""

NEAREST = 0.03
"""The deadline stays at least this part of its distance away, once it is close."""

MOST = 0.6
"""The largest ratio of effect to variance that bets are tuned to."""

STAKED = 0.9
"""The largest part of the wealth that one difference can lose."""

GUESSED_VARIANCE, GUESSES = 0.3, 20
"""What the mean square is taken for before the first difference, and its weight."""

REACHED = 1 - 1e-9
"""The part of the goal that counts as reached: bets aim at it exactly."""


class ConfidenceSequence:
    """An interval for the mean of differences in [-1, 1] that holds after every one.

    I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by
    betting, J. R. Stat. Soc. B 86 (2024) 1-27: `low` and `high` are the outermost of
    401 candidate means that no bet has refuted so far, and so exact to 0.005. They
    only come nearer to each other, and `decided`, once true, stays true.

    What holds: if the differences are those of samples drawn at random from a wide
    population (or a finite set of such, put in random order), then with probability
    `level` the population's mean is never outside, at however many looks; stopping a
    comparison as soon as it is `decided` errs with at most 1 - level. The statement is
    about further samples like these: for the finite set itself, drawn without
    replacement, nothing is proved (tests/bench/stopping.py measures fewer errors).
    Samples of one group depend on each other: add one mean difference for each group.
    For k comparisons at once, ask for the level 1 - (1 - level) / k.

    `effect` says which difference shall be decided soonest; any choice made before the
    first difference is valid.
    """

    def __init__(self, level: float = LEVEL, effect: float = EFFECT) -> None:
        self._wealth = Wealth(np.linspace(-1, 1, CANDIDATES), level, effect)
        self._level = level
        self._n = 0
        self._sum = 0.0

    @property
    def level(self) -> float:
        """The probability that the interval never misses the mean."""
        return self._level

    @property
    def n(self) -> int:
        """How many differences were added."""
        return self._n

    @property
    def low(self) -> float:
        """The smallest mean that is not refuted; -1 before there is evidence."""
        return float(self._wealth.candidates[0])

    @property
    def high(self) -> float:
        """The largest mean that is not refuted; 1 before there is evidence."""
        return float(self._wealth.candidates[-1])

    @property
    def decided(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0

    def add(self, values: Iterable[float]) -> None:
        """Take further differences, in the random order in which they came.

        Raises ValidationError, and takes none, if one is NaN or outside [-1, 1].
        """
        differences = finite(values)
        if np.any(np.abs(differences) > 1):
            raise ValidationError(
                "a difference lies outside [-1, 1]; rescale the score"
            )
        for difference in differences.tolist():
            self._wealth.add(difference)
            self._drop_refuted()
        self._n += differences.size
        self._sum += float(differences.sum())

    def futile(self, remaining: int, margin: float = 0.0) -> bool:
        """Whether `remaining` further differences are certain not to matter.

        True if 0 is not excluded and, whatever the remaining differences will be,
        either no bet can still reach its goal (one difference multiplies the wealth by
        at most 1 + STAKED), or the mean of all n + remaining differences must lie
        within -margin and margin, as it is at most (sum + remaining) / (n + remaining)
        in size. Certain, not probable: nothing is lost from the level.
        """
        if remaining < 0 or not 0 <= margin <= 1:
            raise ValidationError(
                f"{remaining} remaining and a margin of {margin!r}: expected a count "
                "and a margin from 0 to 1"
            )
        if self.decided:
            return False
        if remaining == 0:
            return True
        furthest = (abs(self._sum) + remaining) / (self._n + remaining)
        return furthest <= margin or self._cannot_decide(remaining)

    def _cannot_decide(self, remaining: int) -> bool:
        at_zero = self._wealth.log_left[self._wealth.candidates == 0]
        return bool(at_zero.size) and bool(
            at_zero[0] > remaining * np.log1p(STAKED) + 1e-6
        )

    def _drop_refuted(self) -> None:
        standing = np.flatnonzero(~self._wealth.won)
        # Differences that are not in random order can refute every mean there is.
        if standing.size:
            self._wealth.keep(slice(standing[0], standing[-1] + 1))


class Wealth:
    """What players have made of a stake of 1 by betting against candidate means.

    Each player splits the stake into three bets upwards and three downwards, and plays
    what they come to together: a mixture of martingales is a martingale (H. Robbins,
    Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat.
    41 (1970) 1397-1409). Two bets are constant parts of the wealth, near the one that
    grows it fastest if the mean is off by `effect` (J. L. Kelly, Bell Syst. Tech. J.
    35 (1956) 917-926). The third has a deadline, the time at which `effect` comes to
    its goal on average, and plays to be there by then with the greatest probability
    (S. Browne, Reaching goals by a deadline, Adv. Appl. Probab. 31 (1999) 551-577).
    No bet wins more than the goal needs, for what exceeds it is wasted (L. Fischer and
    A. Ramdas, arXiv 2410.16076 (2024)). All bets are made before the difference is
    seen; time is counted in squared differences.

    Differences are one number for all candidates, or one for each candidate.
    """

    def __init__(self, candidates: FloatArray, level: float, effect: float) -> None:
        check_level(level)
        if not 0 < effect <= 1:
            raise ValidationError(f"the effect {effect!r} is not within 0 and 1")
        self.candidates = candidates
        self._effect = effect
        self._log_goal = -np.log1p(-level)
        self._quantile = -float(ndtri((1 - level) * SHARES[2] / 2))
        self._n = 0
        self._sums = np.zeros(candidates.size)
        self._squares = np.zeros(candidates.size)
        shares = np.log(np.repeat(SHARES, 2) / 2)
        self._log_parts = np.tile(shares[:, None], candidates.size)
        self._log_wealth = np.zeros(candidates.size)

    @property
    def won(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which candidates are refuted."""
        return np.asarray(self.log_left <= -np.log(REACHED))

    @property
    def log_left(self) -> FloatArray:
        """The logarithm of the factor from the wealth to the goal, by candidate."""
        return np.asarray(self._log_goal - self._log_wealth)

    def add(self, difference: float | FloatArray) -> None:
        """Bet, see the difference, win or lose; who has won plays no more."""
        bets = self._bets()
        bet = self._played(bets)
        bet[self.won] = 0
        gain = difference - self.candidates
        self._log_wealth += np.log1p(bet * gain)
        self._log_parts += np.log1p(bets * gain)
        self._n += 1
        self._sums += gain
        self._squares += gain**2

    def keep(self, kept: slice) -> None:
        """Let only some of the players go on."""
        self.candidates = self.candidates[kept]
        self._sums = self._sums[kept]
        self._squares = self._squares[kept]
        self._log_wealth = self._log_wealth[kept]
        self._log_parts = self._log_parts[:, kept]

    def _bets(self) -> FloatArray:
        """The six bets of each player: slow, fast, deadline, each up and down."""
        variance = (GUESSED_VARIANCE * GUESSES + self._squares) / (GUESSES + self._n)
        ratio = np.minimum(self._effect / variance, MOST)
        up, down = self._with_deadline(ratio)
        bets = np.stack(
            [SLOW * ratio, -SLOW * ratio, FAST * ratio, -FAST * ratio, up, -down]
        )
        # What a bet upwards loses at worst, the difference -1, and one downwards at 1.
        return np.asarray(
            np.clip(bets, -STAKED / self._room(1), STAKED / self._room(-1))
        )

    def _with_deadline(self, ratio: FloatArray) -> FloatArray:
        deadline = (self._quantile / ratio) ** 2
        left = np.maximum(deadline - self._squares, NEAREST * deadline)
        # The goal leaves to this bet what the wealth lacks; where it is on the way:
        missing = np.exp(self._log_goal) - np.exp(self._log_wealth)
        lacking = np.log(np.maximum(missing, 1e-9))
        own = self._log_parts[4:]
        z = ndtri_exp(np.minimum(own - np.logaddexp(own, lacking), -1e-12))
        log_hazard = -0.5 * (z**2 + np.log(2 * np.pi)) - log_ndtr(z)
        # A bet is clipped to its limits anyway, and an overflow would be a warning.
        return np.asarray(np.exp(np.minimum(log_hazard, 20)) / np.sqrt(left))

    def _played(self, bets: FloatArray) -> FloatArray:
        parts = np.exp(self._log_parts - self._log_parts.max(axis=0))
        together = (parts * bets).sum(axis=0) / parts.sum(axis=0)
        missing = np.expm1(np.maximum(self.log_left, 0))
        return np.asarray(
            np.clip(together, -missing / self._room(-1), missing / self._room(1))
        )

    def _room(self, end: int) -> FloatArray:
        """How far each candidate is from the smallest or the largest difference."""
        return np.asarray(np.maximum(1 - end * self.candidates, 1e-9))
