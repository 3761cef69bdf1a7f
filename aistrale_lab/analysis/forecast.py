"""Before spending: calls, tokens, cost and time as ranges, from a pilot or assumptions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from aistrale_lab.analysis.arrays import LEVEL
from aistrale_lab.analysis.power import (
    POWER,
    binary_detectable_difference,
    binary_pairs_needed,
)
from aistrale_lab.domain.chat import Usage

CHARACTERS = (5.0, 4.0, 3.0)
"""Characters of a token, at most, expected and at least, where no pilot tells."""

FORMAT_TOKENS = (2, 4, 8)
"""What a chat format adds to a message."""

DISCORDANCE = 0.3
"""The share of samples on which two models differ, where no pilot tells."""

PriceOf = Callable[[Usage], Decimal | None]
"""The cost of a call."""


@dataclass(frozen=True, slots=True)
class Range:
    """A forecast; None is not known, and never 0."""

    low: float | None = None
    expected: float | None = None
    high: float | None = None

    def holds(self, value: float | None) -> bool | None:
        """Whether it contains a value; None if either is not known."""
        if value is None or self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high

    def times(self, factor: float) -> "Range":
        """Every number of it multiplied."""
        ends = (self.low, self.expected, self.high)
        return Range(*(None if end is None else end * factor for end in ends))


@dataclass(frozen=True, slots=True)
class Asked:
    """What one lane is to send: characters and messages of each call, and its limits.

    `output_tokens` is what an answer is taken to have, `max_tokens` the most it can.
    """

    model: str
    characters: Sequence[int]
    messages: Sequence[int]
    epochs: int
    price: PriceOf | None
    concurrency: int
    output_tokens: int | None = None
    max_tokens: int | None = None
    rpm: int | None = None
    tpm: int | None = None

    @property
    def calls(self) -> int:
        """Samples x epochs."""
        return len(self.characters) * self.epochs


@dataclass(frozen=True, slots=True)
class LaneForecast:
    """What one model will take: tokens, USD and seconds over all its calls."""

    model: str
    calls: int
    input_tokens: Range
    output_tokens: Range
    cost_usd: Range
    seconds: Range


@dataclass(frozen=True, slots=True)
class PowerForecast:
    """What a comparison of two models over `pairs` samples can show.

    `detectable` is the smallest difference of right answers that it shows with
    probability `power`; `needed` how many samples show `effect`.
    """

    pairs: int
    discordance: float
    detectable: float | None
    effect: float | None
    needed: int | None
    power: float = POWER


def forecast_lane(asked: Asked, pilot: pd.DataFrame | None = None) -> LaneForecast:
    """The forecast of one lane; `pilot` has results of the same model and prompt."""
    answered = None
    if pilot is not None:
        answered = pilot[pilot["error_type"].isna()]
    tokens_in = _from_pilot(asked, answered, "input_tokens") or _from_text(asked)
    tokens_out = _from_pilot(asked, answered, "output_tokens") or _assumed(asked)
    cost = _from_pilot(asked, answered, "cost_usd")
    if cost is None or not cost.expected:
        cost = _priced(asked, tokens_in, tokens_out)
    duration = _from_pilot(asked, answered, "duration_s") or Range()
    return LaneForecast(
        model=asked.model,
        calls=asked.calls,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=cost,
        seconds=_wall(asked, duration, tokens_in, tokens_out),
    )


def forecast_power(
    pairs: int, *, discordance: float | None = None, effect: float | None = None
) -> PowerForecast:
    """What so many paired 0/1 scores show, two-sided at the 5 % level.

    Raises ValidationError for an effect larger than the discordance.
    """
    differing = DISCORDANCE if discordance is None else discordance
    found = None
    if pairs > 0 and differing > 0:
        found = binary_detectable_difference(pairs, differing)
    needed = None if effect is None else binary_pairs_needed(effect, differing)
    return PowerForecast(pairs, differing, found, effect, needed)


def prediction(values: Sequence[float], n: int, level: float = LEVEL) -> Range:
    """The sum of n further values, from those of a pilot; unknown from less than two.

    The prediction interval of a mean, mean +- t * s * sqrt(1/m + 1/n): G. J. Hahn and
    W. Q. Meeker, Statistical Intervals (1991), section 4.7. Cut at 0.
    """
    seen = np.asarray(values, dtype=np.float64)
    if seen.size < 2:
        return Range()
    middle = float(seen.mean())
    t = float(stdtrit(seen.size - 1, (1 + level) / 2))
    half = t * float(seen.std(ddof=1)) * math.sqrt(1 / seen.size + 1 / n)
    return Range(n * max(0.0, middle - half), n * middle, n * (middle + half))


def _from_pilot(asked: Asked, answered: pd.DataFrame | None, name: str) -> Range | None:
    if answered is None:
        return None
    known = answered[name].astype("float64").dropna().tolist()
    return prediction(known, asked.calls) if len(known) > 1 else None


def _from_text(asked: Asked) -> Range:
    size, turns = sum(asked.characters), sum(asked.messages)
    ends = (
        asked.epochs * (size / per_token + turns * extra)
        for per_token, extra in zip(CHARACTERS, FORMAT_TOKENS, strict=True)
    )
    return Range(*ends)


def _assumed(asked: Asked) -> Range:
    """Nobody knows how long answers will be; a limit bounds them."""
    high = None if asked.max_tokens is None else float(asked.calls * asked.max_tokens)
    if asked.output_tokens is None:
        return Range(low=float(asked.calls), high=high)
    expected = float(asked.calls * asked.output_tokens)
    return Range(float(asked.calls), expected, high or 2 * expected)


def _priced(asked: Asked, tokens_in: Range, tokens_out: Range) -> Range:
    """The cost of all calls at once; of a price in tiers, of equal calls."""
    price = asked.price
    if price is None or not asked.calls:
        return Range()

    def cost(before: float | None, after: float | None) -> float | None:
        if before is None or after is None:
            return None
        each = [round(tokens / asked.calls) for tokens in (before, after)]
        found = price(Usage(input_tokens=each[0], output_tokens=each[1]))
        return None if found is None else float(found) * asked.calls

    return Range(
        cost(tokens_in.low, tokens_out.low),
        cost(tokens_in.expected, tokens_out.expected),
        cost(tokens_in.high, tokens_out.high),
    )


def _wall(asked: Asked, duration: Range, tokens_in: Range, tokens_out: Range) -> Range:
    """Durations side by side, but never faster than the limits allow."""
    places = max(1, min(asked.concurrency, asked.calls))
    worked = duration.times(1 / places)

    def longest(name: str) -> float | None:
        known: list[float | None] = [getattr(worked, name)]
        if asked.rpm:
            known.append(60 * asked.calls / asked.rpm)
        tokens = (getattr(tokens_in, name), getattr(tokens_out, name))
        if asked.tpm and None not in tokens:
            known.append(60 * sum(tokens) / asked.tpm)
        found = [seconds for seconds in known if seconds is not None]
        return max(found, default=None)

    return Range(longest("low"), longest("expected"), longest("high"))


def discordance_of(scores: Mapping[str, "pd.Series[float]"]) -> float | None:
    """The share of samples on which the first two of some runs differ."""
    if len(scores) < 2:
        return None
    first, second = list(scores.values())[:2]
    both = pd.concat([first, second], axis=1, join="inner").dropna()
    if both.empty:
        return None
    return float((both.iloc[:, 0] != both.iloc[:, 1]).mean())
