"""`python tests/bench/million.py [RESULTS]`: summary and comparison of a million results.

Two runs of half of them each, with scores, times, tokens and cost; prints seconds and
the peak of memory.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[1]))

from servers.results import side  # noqa: E402

from aistrale_lab.analysis.compare import Side, compare  # noqa: E402
from aistrale_lab.analysis.frames import summary_df  # noqa: E402

RESULTS = 1_000_000


def make_side(model: str, share: float, n: int, draws: np.random.Generator) -> Side:
    """A run of n results, of which so many are right."""
    columns: dict[str, Any] = {
        "experiment_id": ["e1"] * n,
        "run_id": [f"run-{model}"] * n,
        "sample_id": [str(place) for place in range(n)],
        "score_exact": (draws.random(n) < share).astype(float),
        "duration_s": draws.gamma(2, 1.0, n),
        "time_to_first_token_s": draws.gamma(2, 0.1, n),
        "queue_s": draws.random(n),
        "input_tokens": draws.integers(10, 100, n),
        "output_tokens": draws.integers(1, 50, n),
        "cost_usd": draws.gamma(1, 0.01, n),
    }
    return side(model, columns)


def timed(name: str, work: Callable[[], object]) -> None:
    """Do it, and say how long it took."""
    began = time.perf_counter()
    work()
    print(f"{name:<28} {time.perf_counter() - began:6.1f} s")


def main() -> None:
    """Print a line for each, and the memory."""
    n = int(sys.argv[1]) // 2 if len(sys.argv) > 1 else RESULTS // 2
    draws = np.random.default_rng(0)
    before, after = (make_side(name, 0.5, n, draws) for name in ("a", "b"))
    results = pd.concat([before[2], after[2]], ignore_index=True)
    timed("summary", lambda: summary_df(results, [before[0], after[0]]))
    timed("compare, 2,000 draws", lambda: compare(before, after))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{'peak of memory':<28} {peak:6.2f} GB")


if __name__ == "__main__":
    main()
