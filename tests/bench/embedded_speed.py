"""`python tests/bench/embedded_speed.py`: tokens a CPU second of the models in the box.

Greedy tokens after a prompt of 20, for one conversation and for twenty at once; the
best of several rounds, since other work on the machine only ever slows one down.
"""

import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported

from aistrale_lab.embedded.language import NAMES, WEIGHTS  # noqa: E402
from aistrale_lab.embedded.transformer import Transformer  # noqa: E402

PROMPT = list(range(65, 85))
TOKENS = 100
ROUNDS = 6


def rate(network: Transformer, together: int) -> float:
    """Tokens a second of CPU time."""
    caches = [network.make_cache() for _ in range(together)]
    network.forward([(cache, PROMPT) for cache in caches])
    began = time.process_time()
    for _ in range(TOKENS):
        network.forward([(cache, [65]) for cache in caches])
    return TOKENS * together / (time.process_time() - began)


def main() -> None:
    """Print a line for each model."""
    print(f"{'tokens a CPU second':<20} {'alone':>8} {'20 at once':>11}")
    for name in NAMES:
        network = Transformer.load(WEIGHTS / name)
        best = [max(rate(network, many) for _ in range(ROUNDS)) for many in (1, 20)]
        print(f"{name:<20} {best[0]:>8,.0f} {best[1]:>11,.0f}")


if __name__ == "__main__":
    main()
