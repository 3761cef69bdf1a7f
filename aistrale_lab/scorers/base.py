"""From a scorer's text to its verdicts: parse, make, check the targets, run."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import SampleScore, Score
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import DatasetError, LabError, ValidationError
from aistrale_lab.scorers.registry import (
    NAME,
    SCORERS,
    ScorerDefinition,
    ScorerFunction,
    ScorerRegistry,
    TargetCheck,
    is_async,
)

MAX_ERROR = 2_000
"""Characters of a scorer's error message that are kept."""

SHOWN = 5
"""Samples that an error message names."""


class ScorerSpec(Value):
    """A scorer as it is written: `NAME`, `NAME:ARG` or `ALIAS=NAME:ARG`.

    `name` is what its scores are called: the alias if there is one.
    """

    name: str
    scorer: str
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class NamedScorer:
    """A scorer that is ready to judge, with the name its scores are stored under."""

    name: str
    spec: ScorerSpec
    function: ScorerFunction
    needs_target: bool = False
    binary: bool = False
    is_async: bool = False
    check_target: TargetCheck | None = None


def parse_spec(text: str) -> ScorerSpec:
    """The parts of a scorer's text; raises ValidationError if it has no such form."""
    head, colon, argument = text.partition(":")
    alias, equals, name = head.rpartition("=")
    for part in (alias, name) if equals else (name,):
        if not NAME.fullmatch(part):
            raise ValidationError(
                f"scorer {text!r} is not of the form NAME, NAME:ARG or ALIAS=NAME:ARG"
            )
    return ScorerSpec(
        name=alias or name, scorer=name, argument=argument if colon else None
    )


def make_scorer(text: str, *, registry: ScorerRegistry = SCORERS) -> NamedScorer:
    """The scorer that a text names, with its argument checked.

    Raises UnknownScorerError, or ValidationError for an argument it cannot use.
    """
    spec = parse_spec(text)
    definition = registry.get(spec.scorer)
    function = _make_function(spec, definition)
    return NamedScorer(
        name=spec.name,
        spec=spec,
        function=function,
        needs_target=definition.needs_target,
        binary=definition.binary,
        is_async=is_async(function),
        check_target=definition.check_target,
    )


def make_scorers(
    texts: Iterable[str], *, registry: ScorerRegistry = SCORERS
) -> list[NamedScorer]:
    """The scorers of a task, in order; raises ValidationError if two share a name."""
    scorers = [make_scorer(text, registry=registry) for text in texts]
    counts = Counter(scorer.name for scorer in scorers)
    twice = sorted(name for name, n in counts.items() if n > 1)
    if twice:
        first = next(s.spec for s in scorers if s.name == twice[0])
        raise ValidationError(
            f"two scorers are named {', '.join(map(repr, twice))}; give one of them "
            f"another name with ALIAS=, such as my_{first.name}={first.scorer}:..."
        )
    return scorers


def check_targets(scorers: Iterable[NamedScorer], dataset: Dataset) -> None:
    """Refuse samples whose target a scorer lacks or cannot use; raises DatasetError."""
    faults = [fault for scorer in scorers for fault in _target_faults(scorer, dataset)]
    if faults:
        raise DatasetError(f"dataset {dataset.name!r}: " + "; ".join(faults))


def run_scorer(
    scorer: NamedScorer, sample: Sample, completion: Completion, *, epoch: int = 1
) -> SampleScore:
    """One scorer's verdict, or its error: whatever the scorer raises is kept.

    An async scorer gets an event loop of its own, so this must not be called from a
    running loop; there, await `await_scorer`.
    """
    if scorer.is_async:
        return asyncio.run(await_scorer(scorer, sample, completion, epoch=epoch))
    try:
        found = scorer.function(sample, completion)
        return _verdict(scorer, sample, epoch, found)
    except Exception as error:  # a border to foreign code
        return _failure(scorer, sample, epoch, error)


async def await_scorer(
    scorer: NamedScorer, sample: Sample, completion: Completion, *, epoch: int = 1
) -> SampleScore:
    """As `run_scorer`, for async scorers on the running loop."""
    try:
        found: Any = scorer.function(sample, completion)
        if scorer.is_async:
            found = await found
        return _verdict(scorer, sample, epoch, found)
    except Exception as error:  # a border to foreign code
        return _failure(scorer, sample, epoch, error)


def _make_function(spec: ScorerSpec, definition: ScorerDefinition) -> ScorerFunction:
    if definition.argument == "required" and not spec.argument:
        raise ValidationError(
            f"scorer {spec.scorer!r} needs an argument: {spec.scorer}:ARG"
        )
    if definition.argument == "none" and spec.argument is not None:
        raise ValidationError(
            f"scorer {spec.scorer!r} takes no argument, got {spec.argument!r}"
        )
    try:
        return definition.make(spec.argument)
    except ValueError as error:
        raise ValidationError(
            f"scorer {spec.scorer!r} cannot use {spec.argument!r}: {error}"
        ) from error


def _target_faults(scorer: NamedScorer, dataset: Dataset) -> list[str]:
    missing = [sample.id for sample in dataset if sample.target is None]
    faults = []
    if scorer.needs_target and missing:
        faults.append(
            f"scorer {scorer.name!r} needs a target, and {_shown(missing)} has none"
        )
    if scorer.check_target is not None:
        faults.extend(_unusable_targets(scorer, scorer.check_target, dataset))
    return faults


def _unusable_targets(
    scorer: NamedScorer, check: TargetCheck, dataset: Dataset
) -> list[str]:
    unusable: dict[str, list[str]] = {}
    for sample in dataset:
        try:
            if sample.target is not None:
                check(sample.target, scorer.spec.argument)
        except ValueError as error:
            unusable.setdefault(str(error), []).append(sample.id)
    return [
        f"scorer {scorer.name!r} cannot use the target of {_shown(ids)}: {reason}"
        for reason, ids in unusable.items()
    ]


def _shown(ids: Sequence[str]) -> str:
    named = ", ".join(repr(name) for name in ids[:SHOWN])
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"sample {named}{more}"


def _verdict(
    scorer: NamedScorer, sample: Sample, epoch: int, found: Any
) -> SampleScore:
    if isinstance(found, int | float):
        found = Score(value=float(found))
    if not isinstance(found, Score):
        raise TypeError(
            f"scorer {scorer.name!r} returned {type(found).__name__}, "
            "not a Score or a number"
        )
    return SampleScore(
        sample_id=sample.id, epoch=epoch, scorer=scorer.name, score=found
    )


def _failure(
    scorer: NamedScorer, sample: Sample, epoch: int, error: Exception
) -> SampleScore:
    message = error.message if isinstance(error, LabError) else str(error)
    return SampleScore(
        sample_id=sample.id,
        epoch=epoch,
        scorer=scorer.name,
        error_type=type(error).__name__,
        error=message[:MAX_ERROR],
    )
