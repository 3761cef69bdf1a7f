"""Numbers as people read them."""

from typing import Any

import pytest

from aistrale_lab.analysis import figures


@pytest.mark.parametrize(
    ("number", "shown"),
    [(None, "–"), (0, "0"), (7, "7"), (1234567, "1,234,567")],
)
def test_counts_have_their_thousands_apart(number: int | None, shown: str) -> None:
    assert figures.count(number) == shown


def test_a_sum_with_unknown_parts_says_so() -> None:
    assert figures.count(1200, at_least=True) == "≥ 1,200"


def found(**fields: Any) -> dict[str, Any]:
    return {"value": None, "ci_low": None, "ci_high": None, "method": "t", **fields}


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        (None, ("–", "")),
        (found(), ("–", "")),
        (
            found(value=0.5625, ci_low=0.53569, ci_high=0.58905, method="wilson"),
            ("56.2 %", "[53.6, 58.9]"),
        ),
        (
            found(value=1.0, ci_low=0.9630, ci_high=1.0, method="wilson"),
            ("100.0 %", "[96.3, 100.0]"),
        ),
        (
            found(value=0.8123, ci_low=0.7912, ci_high=0.8334),
            ("0.812", "[0.791, 0.833]"),
        ),
        (found(value=245.31, ci_low=231.2, ci_high=259.4), ("245", "[231, 259]")),
        (found(value=12.0), ("12.0", "")),
        (found(value=0.0), ("0.0", "")),
        (found(value=3.0, ci_low=3.0, ci_high=3.0), ("3.00", "[3.00, 3.00]")),
    ],
)
def test_a_metric_has_the_digits_that_its_interval_bears(
    metric: dict[str, Any] | None, shown: tuple[str, str]
) -> None:
    is_binary = bool(metric and metric["method"] == "wilson")

    assert figures.metric(metric, binary=is_binary) == shown


@pytest.mark.parametrize(
    ("times", "shown"),
    [
        ([0.0123, 0.4561], ("ms", ["12", "456"])),
        ([0.00123, 0.00456], ("ms", ["1.2", "4.6"])),
        ([0.5, None, 12.3456], ("s", ["0.50", "–", "12.35"])),
        ([250.0], ("s", ["250.0"])),
        ([None, None], ("ms", ["–", "–"])),
    ],
)
def test_times_of_a_column_share_a_unit(times: Any, shown: Any) -> None:
    assert figures.seconds(times) == shown


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        ([None, None], ["–", "–"]),
        ([0.0, None], ["$0.00", "–"]),
        ([1234.5, 2.0], ["$1,234.50", "$2.00"]),
        ([0.000123, 1.5], ["$0.00012", "$1.50000"]),
    ],
)
def test_amounts_of_a_column_share_their_digits(amounts: Any, shown: Any) -> None:
    assert figures.dollars(amounts) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [(-1, "0 s"), (0.2, "1 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_spans_are_for_waiting_people(length: float, shown: str) -> None:
    assert figures.span(length) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_rates_have_about_three_digits(value: float | None, shown: str) -> None:
    assert figures.rate(value) == shown
