"""From a scorer's text to its verdict."""

import math
from collections.abc import Callable

import pytest

from aistrale_lab.domain.chat import Completion, FinishReason
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.errors import DatasetError, ValidationError
from aistrale_lab.scorers.base import (
    await_scorer,
    check_targets,
    make_scorer,
    make_scorers,
    parse_spec,
    run_scorer,
)
from aistrale_lab.scorers.registry import ScorerRegistry, scorer

SAMPLE = Sample(id="7", input="?", target="4")
FOUR = Completion(text="4", finish_reason=FinishReason.STOP)


@pytest.fixture
def registry() -> ScorerRegistry:
    """A registry of the test's own."""
    return ScorerRegistry()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("exact", ("exact", "exact", None)),
        ("number:0.1", ("number", "number", "0.1")),
        ("close=number:0.1", ("close", "number", "0.1")),
        ("same=exact", ("same", "exact", None)),
        ("pattern:a=b:c", ("pattern", "pattern", "a=b:c")),
        ("pattern: a ", ("pattern", "pattern", " a ")),
        ("pattern:", ("pattern", "pattern", "")),
    ],
)
def test_a_text_is_taken_apart(text: str, parts: tuple[str, str, str | None]) -> None:
    spec = parse_spec(text)

    assert (spec.name, spec.scorer, spec.argument) == parts


@pytest.mark.parametrize(
    "text", ["", ":x", "=exact", "a b", "a=", "a=b=exact", "1st=exact", "x/y=exact"]
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="NAME, NAME:ARG or ALIAS=NAME:ARG"):
        parse_spec(text)


def test_an_argument_for_a_scorer_that_takes_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="'exact' takes no argument, got 'x'"):
        make_scorer("exact:x")


def test_two_scorers_of_one_name_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match="named 'pattern'.*ALIAS="):
        make_scorers(["pattern:a", "pattern:b"])

    assert [s.name for s in make_scorers(["pattern:a", "b=pattern:b"])] == [
        "pattern",
        "b",
    ]


def test_what_is_known_of_a_scorer_comes_with_it() -> None:
    number = make_scorer("close=number:0.1")

    assert (number.name, number.spec.scorer) == ("close", "number")
    assert (number.needs_target, number.binary, number.is_async) == (True, True, False)
    assert make_scorer("f1").binary is False
    assert make_scorer("length").needs_target is False


def test_samples_without_a_target_are_refused_by_name() -> None:
    samples = tuple(Sample(id=str(n), input="?") for n in range(1, 9) if n != 7)
    dataset = Dataset(name="bare", samples=(SAMPLE, *samples))

    with pytest.raises(DatasetError, match="'number' needs a target.*'1', '2'.*2 more"):
        check_targets(make_scorers(["number", "length"]), dataset)


def test_targets_that_a_scorer_cannot_use_are_refused_by_name() -> None:
    samples = (Sample(id="1", input="?", target="four"), SAMPLE)
    dataset = Dataset(name="words", samples=samples)

    with pytest.raises(DatasetError) as refused:
        check_targets(make_scorers(["number", "choice", "json"]), dataset)

    assert refused.value.message == (
        "dataset 'words': "
        "scorer 'number' cannot use the target of sample '1': there is no number in "
        "it; scorer 'choice' cannot use the target of sample '1', '7': it is no "
        "letter, such as B or (B); scorer 'json' cannot use the target of sample '1': "
        "it is no JSON (json:valid ignores the targets)"
    )


def test_an_empty_target_would_be_included_in_everything_and_is_refused() -> None:
    dataset = Dataset(name="d", samples=(Sample(id="1", input="?", target=" "),))

    with pytest.raises(DatasetError, match="it is empty"):
        check_targets(make_scorers(["includes"]), dataset)


def test_targets_that_fit_are_let_through() -> None:
    dataset = Dataset(name="d", samples=(SAMPLE, Sample(id="8", input="?")))

    check_targets(make_scorers(["json", "length", "pattern:(4)"]), dataset)


def test_a_verdict_bears_sample_epoch_and_name() -> None:
    found = run_scorer(make_scorer("same=exact"), SAMPLE, FOUR, epoch=2)

    assert (found.sample_id, found.epoch, found.scorer) == ("7", 2, "same")
    assert found.score is not None and found.score.value == 1.0
    assert found.error is None


@pytest.mark.parametrize(
    ("own", "error_type", "error"),
    [
        (lambda s, c: 1 / 0, "ZeroDivisionError", "division by zero"),
        (lambda s, c: "4", "TypeError", "returned str, not a Score or a number"),
        (lambda s, c: math.nan, "ValidationError", "finite number"),
        (lambda s, c: {}["x"], "KeyError", "'x'"),
    ],
)
def test_a_scorer_that_raises_fails_its_score_alone(
    registry: ScorerRegistry,
    own: Callable[[Sample, Completion], float],
    error_type: str,
    error: str,
) -> None:
    scorer(name="own", registry=registry)(own)

    found = run_scorer(make_scorer("own", registry=registry), SAMPLE, FOUR)

    assert (found.score, found.error_type) == (None, error_type)
    assert error in (found.error or "")


def test_a_long_error_is_cut(registry: ScorerRegistry) -> None:
    @scorer(registry=registry)
    def noisy(sample: Sample, completion: Completion) -> float:
        raise RuntimeError("x" * 1_000_000)

    found = run_scorer(make_scorer("noisy", registry=registry), SAMPLE, FOUR)

    assert found.error == "x" * 2_000


@pytest.mark.parametrize("verdict", [True, 1, 1.0, Score(value=1.0)])
def test_a_number_stands_for_its_score(
    registry: ScorerRegistry, verdict: float
) -> None:
    scorer(name="own", registry=registry)(lambda sample, completion: verdict)

    found = run_scorer(make_scorer("own", registry=registry), SAMPLE, FOUR)

    assert found.score == Score(value=1.0)


async def test_an_async_scorer_is_awaited(registry: ScorerRegistry) -> None:
    @scorer(registry=registry)
    async def slow(sample: Sample, completion: Completion) -> Score:
        return Score(value=0.5)

    named = make_scorer("slow", registry=registry)
    found = await await_scorer(named, SAMPLE, FOUR)

    assert named.is_async
    assert found.score == Score(value=0.5)


async def test_an_async_scorer_that_raises_fails_its_score_alone(
    registry: ScorerRegistry,
) -> None:
    @scorer(registry=registry)
    async def broken(sample: Sample, completion: Completion) -> Score:
        raise LookupError("no grader")

    found = await await_scorer(make_scorer("broken", registry=registry), SAMPLE, FOUR)

    assert (found.error_type, found.error) == ("LookupError", "no grader")


def test_an_async_scorer_runs_in_a_thread_without_a_loop_too(
    registry: ScorerRegistry,
) -> None:
    @scorer(registry=registry)
    async def slow(sample: Sample, completion: Completion) -> Score:
        return Score(value=0.5)

    found = run_scorer(make_scorer("slow", registry=registry), SAMPLE, FOUR)

    assert found.score == Score(value=0.5)
