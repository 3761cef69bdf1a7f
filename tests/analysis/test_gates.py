"""Gates: texts that are gates, and intervals that meet them."""

import pytest

from aistrale_lab.analysis.compare import Comparison, compare
from aistrale_lab.analysis.gates import Gate
from aistrale_lab.errors import NotFoundError, ValidationError
from servers.results import side


@pytest.fixture
def better() -> Comparison:
    """80 of 100 against 50 of 100, no sample lost."""
    before = side("a", {"score_exact": [1.0] * 50 + [0.0] * 50})
    after = side("b", {"score_exact": [1.0] * 80 + [0.0] * 20})
    return compare(before, after)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("exact > 0", True),
        ("exact>=0.2", True),
        ("exact >= 0.3", False),  # the difference is, its interval is not
        ("exact >= -0.01", True),
        ("exact < 0.5", True),
        ("exact <= 0.35", False),
        ("exact < 0", False),
    ],
)
def test_the_whole_interval_must_lie_there(
    better: Comparison, text: str, met: bool
) -> None:
    assert Gate.parse(text).is_met(better) is met


def test_a_metric_without_an_interval_meets_no_gate() -> None:
    single = compare(side("a", {"cost_usd": [2.0]}), side("b", {"cost_usd": [1.0]}))

    assert not Gate.parse("cost_usd < 0").is_met(single)


@pytest.mark.parametrize("text", ["", "exact", "exact = 1", "> 1", "exact > much"])
def test_a_text_that_is_no_gate_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is no gate"):
        Gate.parse(text)


def test_an_unknown_metric_is_named_with_those_there_are(better: Comparison) -> None:
    with pytest.raises(NotFoundError, match="there are exact, duration_s"):
        Gate.parse("speed > 1").is_met(better)


def test_a_gate_reads_as_it_is_written() -> None:
    assert str(Gate.parse("exact>=-0.010")) == "exact >= -0.01"
