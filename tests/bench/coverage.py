"""Do intervals cover what they claim to? Nominal 95 %, for n = 20 to 2,000.

Proportions are not simulated but summed over all possible counts, so their coverage is
exact; means are simulated. Prints one table and exits 1 if a row is out of its bounds;
a row without bounds is shown for what it is: too few clusters, or a heavy tail. Usage:

    python tests/bench/coverage.py [--runs 8000] [--seed 0]
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from aistrale_lab.analysis.intervals import (
    Interval,
    clopper_pearson,
    clustered_t,
    mean_interval,
    t_interval,
    wilson,
)

SIZES = (20, 50, 100, 300, 1_000, 2_000)
SHARES = np.linspace(0.05, 0.95, 181)
MEANS = (0.935, 0.965)
WILSON = (0.94, 0.965)
NEVER_UNDER = (0.95, 1.0)
ENOUGH_CLUSTERS = 20

Draw = Callable[[np.random.Generator, int], np.ndarray]

# Name, how to draw n values, their true mean, and the bounds of the coverage.
POPULATIONS: tuple[tuple[str, Draw, float, tuple[float, float] | None], ...] = (
    ("normal", lambda rng, n: rng.normal(size=n), 0.0, MEANS),
    ("uniform", lambda rng, n: rng.random(n), 0.5, MEANS),
    ("graded 0 to 4", lambda rng, n: rng.binomial(4, 0.7, n) / 4, 0.7, MEANS),
    ("lognormal", lambda rng, n: rng.lognormal(size=n), float(np.exp(0.5)), None),
)


@dataclass(frozen=True)
class Row:
    """How often one interval covered the truth, and how often it should."""

    method: str
    population: str
    n: int
    coverage: float
    bounds: tuple[float, float] | None

    @property
    def is_fine(self) -> bool:
        return not self.bounds or self.bounds[0] <= self.coverage <= self.bounds[1]


def covers(interval: Interval, truth: float) -> bool:
    assert interval.low is not None and interval.high is not None
    return interval.low <= truth <= interval.high


def exact_coverage(intervals: list[Interval]) -> np.ndarray:
    """The coverage at each of SHARES of the intervals for 0, 1, ... n successes."""
    counts = np.arange(len(intervals))
    n = len(intervals) - 1
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    lows = np.array([interval.low for interval in intervals])
    highs = np.array([interval.high for interval in intervals])
    return np.array(
        [
            np.exp(ways + xlogy(counts, p) + xlog1py(n - counts, -p))[
                (lows <= p) & (p <= highs)
            ].sum()
            for p in SHARES
        ]
    )


def proportions(n: int) -> Iterator[Row]:
    score = exact_coverage([wilson(count, n) for count in range(n + 1)])
    exact = exact_coverage([clopper_pearson(count, n) for count in range(n + 1)])
    chosen = exact_coverage(
        [mean_interval([1.0] * count + [0.0] * (n - count)) for count in range(n + 1)]
    )
    span = f"0/1, p {SHARES[0]:.2f} to {SHARES[-1]:.2f}"
    yield Row("wilson", f"{span}, average", n, float(score.mean()), WILSON)
    yield Row("mean_interval", f"{span}, average", n, float(chosen.mean()), WILSON)
    yield Row("clopper_pearson", f"{span}, worst", n, float(exact.min()), NEVER_UNDER)


def means(n: int, runs: int, rng: np.random.Generator) -> Iterator[Row]:
    for name, draw, truth, bounds in POPULATIONS:
        hits = [covers(t_interval(draw(rng, n)), truth) for _ in range(runs)]
        yield Row("t", name, n, float(np.mean(hits)), bounds)


def draw_clusters(
    n: int, clusters: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of unequal sizes (1 to 3 times the smallest) whose means vary."""
    weights = rng.uniform(1, 3, clusters)
    groups = np.repeat(
        np.arange(clusters), 1 + rng.multinomial(n - clusters, weights / weights.sum())
    )
    return rng.normal(0, 0.7, clusters)[groups] + rng.normal(size=n), groups


def clustered(n: int, clusters: int, runs: int, rng: np.random.Generator) -> Row:
    draws = (draw_clusters(n, clusters, rng) for _ in range(runs))
    hits = [covers(clustered_t(values, groups), 0) for values, groups in draws]
    bounds = MEANS if clusters >= ENOUGH_CLUSTERS else None
    return Row("clustered_t", f"{clusters} clusters", n, float(np.mean(hits)), bounds)


def rows(runs: int, seed: int) -> Iterator[Row]:
    rng = np.random.default_rng(seed)
    for n in SIZES:
        yield from proportions(n)
        yield from means(n, runs, rng)
        for clusters in (3, 5, 10, 20, 50, 200):
            if clusters <= n / 2 or clusters == ENOUGH_CLUSTERS:
                yield clustered(n, clusters, runs, rng)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=8_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    failed = 0
    print(f"{'n':>5}  {'method':16} {'population':30} {'coverage':>8}  bounds")
    for row in rows(chosen.runs, chosen.seed):
        low_high = "{:.1%} to {:.1%}".format(*row.bounds) if row.bounds else "–"
        verdict = "" if row.is_fine else "  OUT OF BOUNDS"
        failed += not row.is_fine
        print(
            f"{row.n:5}  {row.method:16} {row.population:30}"
            f" {row.coverage:8.2%}  {low_high}{verdict}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
