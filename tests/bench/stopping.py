"""Does looking after every sample keep the level, and what does it save?

Paired 0/1 comparisons that are looked at after each pair, against the fixed number of
pairs that has 80 % power; then whole families of comparisons. Prints one table for
each and exits 1 if a row is out of its bounds; a row without bounds is shown for what
it is. The bets were tuned to an effect of 0.1, with other seeds. Usage:

    python tests/bench/stopping.py [--seed 0]
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr
from scipy.stats import binom

from aistrale_lab.analysis.multiple import holm, model_pairs, simultaneous_intervals
from aistrale_lab.analysis.power import binary_pairs_needed
from aistrale_lab.analysis.sequences import EFFECT, Wealth

PAIRS = 2_000
NULL_RUNS = 2_000
TARGET_RUNS = 10_000
SAVING_RUNS = 6_000
FAMILIES = 10_000
BOOTSTRAPS = 4_000
LEVEL = 0.95
FALSE_POSITIVES = 0.05
FAMILY_WISE = 0.055
SAVED = 0.30

Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Row:
    """One rate of errors, or one saving, and the most or least it may be."""

    name: str
    value: float
    at_most: float = np.inf
    at_least: float = -np.inf
    note: str = ""

    @property
    def is_fine(self) -> bool:
        return self.at_least <= self.value <= self.at_most

    def __str__(self) -> str:
        bound = "–"
        if np.isfinite(self.at_most):
            bound = f"at most {self.at_most:.1%}"
        if np.isfinite(self.at_least):
            bound = f"at least {self.at_least:.1%}"
        verdict = "" if self.is_fine else "  OUT OF BOUNDS"
        return f"{self.name:58} {self.value:8.2%}  {bound:15} {self.note}{verdict}"


def ternary(discordance: float, effect: float) -> Draw:
    """Differences of two 0/1 scores, of independent samples."""

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        uniform = rng.random(size)
        losses = (uniform < (discordance - effect) / 2).astype(np.float64)
        return (uniform < discordance) - 2 * losses

    return draw


def stops(
    draw: Draw,
    runs: int,
    rng: np.random.Generator,
    effect: float = EFFECT,
    level: float = LEVEL,
) -> np.ndarray:
    """After how many pairs each run was decided; infinity if it never was."""
    wealth = Wealth(np.zeros(runs), level, effect)
    stopped = np.full(runs, np.inf)
    for looks in range(1, PAIRS + 1):
        wealth.add(draw(rng, runs))
        stopped[np.isinf(stopped) & wealth.won] = looks
        if np.isfinite(stopped).all():
            break
    return stopped


def without_replacement(discordance: float, runs: int) -> Draw:
    """Differences of one finite set whose own mean is exactly 0, in random order."""
    half = round(PAIRS * discordance / 2)
    wins, losses = np.full(runs, half), np.full(runs, half)
    left = [PAIRS]

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        uniform = rng.random(size) * left[0]
        won, lost = uniform < wins, (uniform >= wins) & (uniform < wins + losses)
        np.subtract(wins, won, out=wins)
        np.subtract(losses, lost, out=losses)
        left[0] -= 1
        return won.astype(np.float64) - lost

    return draw


def null_rows(rng: np.random.Generator) -> Iterator[Row]:
    rate = decided(ternary(0.3, 0), TARGET_RUNS, rng)
    yield Row("decided, no effect, 30% discordant", rate, FALSE_POSITIVES)
    # At most 5 % is proved. Where bets use all of it, a simulation errs to both sides.
    noise = 3 * (FALSE_POSITIVES * (1 - FALSE_POSITIVES) / NULL_RUNS) ** 0.5
    draws: dict[str, Draw] = {
        "2% discordant": ternary(0.02, 0),
        "100% discordant": ternary(1.0, 0),
        "uniform in [-1, 1]": lambda rng, n: rng.uniform(-1, 1, n),
        "mostly 0.05, rarely -0.95": lambda rng, n: 0.05 - (rng.random(n) < 0.05),
        "a finite set of mean 0, 30%": without_replacement(0.3, NULL_RUNS),
    }
    for name, draw in draws.items():
        rate = decided(draw, NULL_RUNS, rng)
        yield Row(f"decided, no effect, {name}", rate, FALSE_POSITIVES + noise)


def decided(draw: Draw, runs: int, rng: np.random.Generator) -> float:
    return float(np.isfinite(stops(draw, runs, rng)).mean())


def exact_pairs(discordance: float, effect: float) -> int:
    """The pairs for 80 % power of the exact McNemar test, which is what is run."""
    n = binary_pairs_needed(effect, discordance)
    while exact_power(n, discordance, effect) < 0.8:
        n += 1
    return n


def exact_power(n: int, discordance: float, effect: float) -> float:
    discordant = np.arange(n + 1)[:, None]
    wins = np.arange(n + 1)
    fewer = np.minimum(wins, discordant - wins)
    rejected = (2 * binom.cdf(fewer, discordant, 0.5) <= 1 - LEVEL) & (fewer >= 0)
    share = (1 + effect / discordance) / 2
    ways = binom.pmf(discordant, n, discordance) * binom.pmf(wins, discordant, share)
    return float(ways[rejected].sum())


def saving_rows(rng: np.random.Generator) -> Iterator[Row]:
    for discordance, effect, tuned in (
        (0.3, 0.1, 0.1),
        (0.2, 0.1, 0.1),
        (0.5, 0.1, 0.1),
        (0.3, 0.2, 0.1),
        (0.3, 0.2, 0.2),
        (0.3, 0.05, 0.1),
        (0.3, 0.05, 0.05),
    ):
        stopped = stops(ternary(discordance, effect), SAVING_RUNS, rng, tuned)
        fixed = binary_pairs_needed(effect, discordance)
        is_target = (discordance, effect, tuned) == (0.3, 0.1, 0.1)
        median = float(np.median(stopped))
        note = (
            f"median {median:.0f}, mean {np.minimum(stopped, PAIRS).mean():.0f}, fixed"
            f" {fixed}; decided by then {np.mean(stopped <= fixed):.0%},"
            f" by {PAIRS} {np.isfinite(stopped).mean():.0%}"
        )
        if is_target:
            note += f"; exact McNemar {exact_pairs(discordance, effect)}"
        yield Row(
            f"saved, effect {effect}, {discordance:.0%} discordant, tuned to {tuned}",
            1 - median / fixed,
            at_least=SAVED if is_target else -np.inf,
            note=note,
        )


def scores(
    rng: np.random.Generator, families: int, n: int, means: np.ndarray
) -> np.ndarray:
    """0/1 scores, families by samples by models; hard samples are hard for all."""
    difficulty = rng.beta(2, 2, size=(families, n, 1)) - 0.5
    chance = np.clip(means + difficulty, 0, 1)
    return (rng.random((families, n, means.size)) < chance).astype(np.float64)


def paired_t(table: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """The p-values of the paired t-test, families by pairs."""
    n = table.shape[1]
    first, second = np.array(pairs).T
    differences = table[:, :, second] - table[:, :, first]
    spread = differences.std(axis=1, ddof=1)
    t = np.abs(differences.mean(axis=1)) / np.where(spread > 0, spread, 1) * np.sqrt(n)
    return 2 * stdtr(n - 1, -t)


def holm_rows(rng: np.random.Generator) -> Iterator[Row]:
    for means in ([0.5] * 4, [0.4, 0.4, 0.6, 0.6]):
        true = np.array(means)
        pairs = model_pairs(true.size)
        equal = np.array([true[j] == true[k] for j, k in pairs])
        for n in (20, 50, 200, 2_000):
            wrong = 0
            for _ in range(0, FAMILIES, 500):
                p_values = paired_t(scores(rng, 500, n, true), pairs)
                wrong += sum((holm(row)[equal] <= 1 - LEVEL).any() for row in p_values)
            name = f"Holm, paired t, n {n}, means {means}"
            yield Row(name, wrong / FAMILIES, FAMILY_WISE)


def simultaneous_rows(rng: np.random.Generator) -> Iterator[Row]:
    for n in (20, 50, 200, 2_000):
        table = scores(rng, BOOTSTRAPS, n, np.full(4, 0.5))
        wrong = 0
        for run, values in enumerate(table):
            found = simultaneous_intervals(values, draws=500, seed=run)
            wrong += any(
                pair.low is not None and not pair.low <= 0 <= pair.high
                for pair in found
            )
        yield Row(f"simultaneous intervals, n {n}", wrong / BOOTSTRAPS, FAMILY_WISE)


def sequence_row(rng: np.random.Generator, comparisons: int = 3) -> Row:
    """Candidates against one baseline, all alike, each sequence at its share."""

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        table = scores(rng, size // comparisons, 1, np.full(comparisons + 1, 0.5))
        return (table[:, 0, 1:] - table[:, 0, :1]).ravel()

    level = 1 - (1 - LEVEL) / comparisons
    stopped = stops(draw, NULL_RUNS * comparisons, rng, level=level)
    wrong = np.isfinite(stopped).reshape(NULL_RUNS, comparisons).any(axis=1)
    name = f"{comparisons} sequences at level {level:.4f} each"
    return Row(name, float(wrong.mean()), FAMILY_WISE)


def rows(rng: np.random.Generator) -> Iterator[Row]:
    print(f"One comparison of up to {PAIRS} pairs, looked at after each")
    yield from null_rows(rng)
    yield from saving_rows(rng)
    print("Families: any error in it")
    yield from holm_rows(rng)
    yield from simultaneous_rows(rng)
    yield sequence_row(rng)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=0)
    failed = 0
    for row in rows(np.random.default_rng(options.parse_args().seed)):
        failed += not row.is_fine
        print(row, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
