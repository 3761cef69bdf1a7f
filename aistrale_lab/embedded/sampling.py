"""The choice of the next token from a model's logits."""

import numpy as np
from numpy.typing import NDArray

from aistrale_lab.embedded.models import Sampling

Logprobs = NDArray[np.float64]


class Chooser:
    """Chooses the tokens of one answer; the same seed makes the same choices."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        seed = sampling.seed
        self._random = np.random.default_rng(
            None if seed is None else [seed % 2**64, sampling.choice]
        )

    def choose(self, logprobs: Logprobs) -> int:
        """The greedy choice, or a draw from the likeliest tokens."""
        if not self._sampling.temperature:
            return int(logprobs.argmax())
        scaled = logprobs / self._sampling.temperature
        weights = np.exp(scaled - scaled.max())
        order = np.argsort(-weights, kind="stable")
        cumulated = np.cumsum(weights[order])
        nucleus = self._sampling.top_p * cumulated[-1]
        kept = int(np.searchsorted(cumulated, nucleus)) + 1  # Holtzman et al. 2020
        kept = min(kept, int(np.count_nonzero(weights)))
        drawn = self._random.random() * cumulated[kept - 1]
        return int(order[np.searchsorted(cumulated[:kept], drawn, side="right")])


def log_softmax(logits: NDArray[np.float32]) -> Logprobs:
    """Natural logarithms of the probabilities, of one row of logits."""
    exact = logits.astype(np.float64)
    exact -= exact.max()
    exact -= np.log(np.exp(exact).sum())
    return exact
