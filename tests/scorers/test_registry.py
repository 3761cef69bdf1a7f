"""Scorers by name: built in, one's own, installed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aistrale_lab
from aistrale_lab.domain.chat import Completion, FinishReason
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import ConfigError, UnknownScorerError, ValidationError
from aistrale_lab.scorers.base import make_scorer, run_scorer
from aistrale_lab.scorers.registry import BUILT_IN, SCORERS, ScorerRegistry, scorer

SAMPLE = Sample(id="1", input="?", target="4")
FOUR = Completion(text="4", finish_reason=FinishReason.STOP)


def own(sample: Sample, completion: Completion) -> float:
    """A scorer of the test's own."""
    return 0.25


@pytest.fixture
def registry() -> ScorerRegistry:
    """A registry of the test's own."""
    return ScorerRegistry()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with a package that brings scorers."""
    (tmp_path / "somebodys.py").write_text(
        "import aistrale_lab\n"
        "@aistrale_lab.scorer(name='decorated', needs_target=True)\n"
        "def decorated(sample, completion):\n    return 1\n"
        "def plain(sample, completion):\n    return 0\n"
        "number = 3\n"
    )
    metadata = tmp_path / "somebodys-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\n")
    (metadata / "entry_points.txt").write_text(
        "[aistrale_lab.scorers]\n"
        "plain = somebodys:plain\n"
        "decorated = somebodys:decorated\n"
        "exact = somebodys:plain\n"
        "odd = somebodys:number\n"
        "gone = somebodys_elsewhere:x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("somebodys", None)
    SCORERS.remove("decorated")


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_scorer_can_be_made(name: str) -> None:
    named = make_scorer("pattern:4" if name == "pattern" else name)

    assert run_scorer(named, SAMPLE, FOUR).scorer == name


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownScorerError) as refused:
        make_scorer("nubmer")

    assert refused.value.message == (
        "unknown scorer 'nubmer'; did you mean 'number'? known scorers: "
        + ", ".join(sorted(BUILT_IN))
    )


def test_a_function_is_registered_under_its_name_and_returned(
    registry: ScorerRegistry,
) -> None:
    returned = scorer(registry=registry)(own)

    assert returned is own
    found = run_scorer(make_scorer("own", registry=registry), SAMPLE, FOUR)
    assert found.score is not None and found.score.value == 0.25
    assert "own" in registry.names()


def test_the_decorator_is_public_and_needs_no_parentheses() -> None:
    returned = aistrale_lab.scorer(own)

    assert returned is own
    assert make_scorer("own").function is own
    SCORERS.remove("own")


def test_a_function_may_be_registered_again(registry: ScorerRegistry) -> None:
    scorer(name="own", registry=registry)(lambda sample, completion: 0.0)
    scorer(name="own", registry=registry)(lambda sample, completion: 1.0)

    found = run_scorer(make_scorer("own", registry=registry), SAMPLE, FOUR)

    assert found.score is not None and found.score.value == 1.0


def test_a_scorer_of_ones_own_may_take_an_argument(registry: ScorerRegistry) -> None:
    @scorer(argument="required", registry=registry)
    def at_most(argument: str | None) -> object:
        longest = int(argument or "")
        return lambda sample, completion: len(completion.text) <= longest

    found = run_scorer(make_scorer("at_most:3", registry=registry), SAMPLE, FOUR)

    assert found.score is not None and found.score.value == 1.0
    with pytest.raises(ValidationError, match="cannot use 'x': invalid literal"):
        make_scorer("at_most:x", registry=registry)


@pytest.mark.parametrize(
    ("name", "reason"), [("exact", "built in"), ("a b", "not allowed")]
)
def test_a_name_that_cannot_be_used_is_refused(
    registry: ScorerRegistry, name: str, reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        scorer(name=name, registry=registry)(own)


def test_scorers_of_other_packages_are_found(installed: Path) -> None:
    found = run_scorer(make_scorer("plain"), SAMPLE, FOUR)

    assert found.score is not None and found.score.value == 0.0
    assert {"plain", "decorated"} <= set(SCORERS.names())


def test_a_decorated_scorer_of_another_package_keeps_what_it_says(
    installed: Path,
) -> None:
    assert make_scorer("decorated").needs_target


def test_another_package_cannot_replace_a_built_in_scorer(installed: Path) -> None:
    found = run_scorer(make_scorer("exact"), SAMPLE, FOUR)

    assert found.score is not None and found.score.value == 1.0


def test_a_package_that_fails_is_named(installed: Path) -> None:
    with pytest.raises(ConfigError, match="'gone' of 'somebodys_elsewhere:x'"):
        make_scorer("gone")
    with pytest.raises(ConfigError, match="neither a function nor"):
        make_scorer("odd")
