"""The self-test of times: it measures the real engine, and finds a real bias."""

import pytest

from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.selftest import latency_selftest


def test_our_times_are_held_against_those_of_the_server() -> None:
    found = latency_selftest(ttft=0.05, itl=0.01, concurrency=4, calls=12, tokens=5)

    first, between, whole = found.biases
    assert (found.calls, found.concurrency) == (12, 4)
    assert 0.05 <= first.true_median < 0.5
    assert 0.01 <= between.true_median < 0.1
    assert whole.true_median >= first.true_median + 4 * 0.01
    for bias in found.biases:
        assert bias.p5 <= bias.median <= bias.p95
    # We cannot see a token before it was sent, whatever this machine does.
    assert first.p5 > 0 and whole.p5 > 0


@pytest.mark.parametrize(
    "wrong", [{"ttft": -1}, {"itl": -1}, {"tokens": 1}, {"calls": 0}]
)
def test_times_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="a self-test needs"):
        latency_selftest(**wrong)  # type: ignore[arg-type]
