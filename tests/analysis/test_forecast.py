"""Forecasts: ranges from characters or from a pilot, never 0 for what is unknown."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from aistrale_lab.analysis.forecast import (
    Asked,
    Range,
    forecast_lane,
    forecast_power,
    prediction,
)
from aistrale_lab.domain.chat import Usage
from aistrale_lab.errors import ValidationError
from servers.results import results


def asked(**changes: Any) -> Asked:
    plain: dict[str, Any] = {
        "model": "openai/m",
        "characters": [400] * 50,
        "messages": [1] * 50,
        "epochs": 2,
        "price": None,
        "concurrency": 10,
    }
    return Asked(**plain | changes)


def a_dollar_each(usage: Usage) -> Decimal:
    assert usage.input_tokens is not None and usage.output_tokens is not None
    return Decimal(usage.input_tokens + usage.output_tokens) / 1_000_000


def test_without_a_pilot_tokens_are_guessed_from_characters() -> None:
    found = forecast_lane(asked())

    assert found.calls == 100
    assert found.input_tokens == Range(
        pytest.approx(100 * (80 + 2)),
        pytest.approx(100 * (100 + 4)),
        pytest.approx(100 * (400 / 3 + 8)),
    )
    assert found.output_tokens == Range(low=100.0)
    assert found.cost_usd == Range()
    assert found.seconds == Range()


def test_a_limit_bounds_tokens_out_and_cost() -> None:
    found = forecast_lane(asked(max_tokens=50, output_tokens=20, price=a_dollar_each))

    assert found.output_tokens == Range(100.0, 2_000.0, 5_000.0)
    assert found.cost_usd.low is not None and found.cost_usd.high is not None
    assert found.cost_usd.low < (found.cost_usd.expected or 0) < found.cost_usd.high


def test_limits_of_the_endpoint_bound_the_time() -> None:
    found = forecast_lane(asked(rpm=50, tpm=1_000, max_tokens=50, output_tokens=20))

    assert found.seconds.low == pytest.approx(60 * (8_200 + 100) / 1_000)
    assert forecast_lane(asked(rpm=50)).seconds == Range(120.0, 120.0, 120.0)


def test_a_pilot_tells_tokens_cost_and_time() -> None:
    draws = np.random.default_rng(2)
    n = 30
    pilot = results(
        n,
        input_tokens=draws.integers(90, 110, n),
        output_tokens=draws.integers(10, 30, n),
        cost_usd=draws.uniform(0.001, 0.002, n),
        duration_s=draws.uniform(0.5, 1.5, n),
    )

    found = forecast_lane(asked(), pilot)

    assert found.input_tokens.holds(100 * 100)
    assert found.output_tokens.holds(100 * 20)
    assert found.cost_usd.holds(100 * 0.0015)
    assert found.seconds.holds(100 * 1.0 / 10)


def test_failed_calls_of_a_pilot_tell_nothing() -> None:
    failed = results(3, input_tokens=[1, 1, 1], error_type=["ServerError"] * 3)

    assert forecast_lane(asked(), failed) == forecast_lane(asked())


def test_the_interval_is_that_of_a_future_mean() -> None:
    seen = [3.0, 5.0, 4.0, 8.0]

    found = prediction(seen, 10)

    half = stats.t.ppf(0.975, 3) * np.std(seen, ddof=1) * np.sqrt(1 / 4 + 1 / 10)
    expected = (10 * max(0, 5 - half), 50, 10 * (5 + half))
    assert (found.low, found.expected, found.high) == pytest.approx(expected, abs=1e-9)


def test_future_sums_lie_within_the_interval_as_often_as_it_says() -> None:
    draws = np.random.default_rng(1)
    inside = 0
    for _ in range(2_000):
        found = prediction(draws.normal(100, 15, 12).tolist(), 40)
        inside += bool(found.holds(float(draws.normal(100, 15, 40).sum())))

    assert 0.93 < inside / 2_000 < 0.97


@given(some.lists(some.floats(0, 1e6), max_size=1))
def test_one_value_tells_no_range(values: list[float]) -> None:
    assert prediction(values, 5) == Range()


def test_power_is_that_of_mcnemars_test() -> None:
    found = forecast_power(235, effect=0.1)

    assert found.detectable == pytest.approx(0.1, abs=0.002)
    assert found.needed == 234
    assert forecast_power(2).detectable is None


def test_an_effect_beyond_the_discordance_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least that share"):
        forecast_power(100, effect=0.5)


@pytest.mark.parametrize(
    ("found", "value", "inside"),
    [
        (Range(1, 2, 3), 2.0, True),
        (Range(1, 2, 3), 4.0, False),
        (Range(1, None, None), 4.0, None),
        (Range(1, 2, 3), None, None),
    ],
)
def test_what_is_unknown_is_neither_inside_nor_outside(
    found: Range, value: float | None, inside: bool | None
) -> None:
    assert found.holds(value) is inside
