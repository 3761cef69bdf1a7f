"""Scorers by name: the built-in ones, the user's own, and those of other packages."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar, overload

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import (
    ConfigError,
    UnknownScorerError,
    ValidationError,
    one_of,
)

ScorerFunction = Callable[
    [Sample, Completion], Score | float | Awaitable[Score | float]
]
"""Judges one completion; may be async; a bare number stands for its Score."""

TargetCheck = Callable[[str, str | None], object]
"""Raises ValueError for a target that a scorer with that argument cannot use."""

ScorerFactory = Callable[[str | None], ScorerFunction]
"""Builds the function from the text behind `NAME:`; ValueError refuses the text."""

Argument = Literal["none", "optional", "required"]
"""Whether a scorer takes a text behind `NAME:`."""

F = TypeVar("F", bound=Callable[..., Any])

ENTRY_POINTS = "aistrale_lab.scorers"

BUILT_IN: Mapping[str, str] = {
    "bleu": "aistrale_lab.scorers.overlap:BLEU",
    "choice": "aistrale_lab.scorers.choice:CHOICE",
    "chrf": "aistrale_lab.scorers.overlap:CHRF",
    "exact": "aistrale_lab.scorers.text:EXACT",
    "f1": "aistrale_lab.scorers.overlap:F1",
    "includes": "aistrale_lab.scorers.text:INCLUDES",
    "json": "aistrale_lab.scorers.structured:JSON",
    "length": "aistrale_lab.scorers.text:LENGTH",
    "number": "aistrale_lab.scorers.number:NUMBER",
    "pattern": "aistrale_lab.scorers.pattern:PATTERN",
    "similarity": "aistrale_lab.scorers.overlap:SIMILARITY",
}
"""Where each built-in scorer is defined; imported when it is first asked for."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ScorerDefinition:
    """How a scorer is made, and what is known of it before it judges anything.

    `binary`: its values are 0 or 1. `check_target` looks at the targets that are
    there before any call; with `needs_target` a missing one is refused too.
    """

    make: ScorerFactory
    argument: Argument = "none"
    needs_target: bool = False
    binary: bool = False
    check_target: TargetCheck | None = None
    source: Callable[..., Any] | None = None
    """The user's own function, by which an entry point is recognised."""

    @classmethod
    def of(
        cls,
        function: ScorerFunction,
        *,
        needs_target: bool = False,
        binary: bool = False,
        check_target: TargetCheck | None = None,
    ) -> "ScorerDefinition":
        """The definition of a scorer that takes no argument."""
        return cls(
            make=lambda argument: function,
            needs_target=needs_target,
            binary=binary,
            check_target=check_target,
            source=function,
        )


class ScorerRegistry:
    """Finds a scorer's definition by name.

    Built-in names cannot be taken; an own scorer may be added again under its name,
    as happens when a notebook cell runs twice, and goes before an installed one.
    """

    def __init__(self, built_in: Mapping[str, str] = BUILT_IN) -> None:
        self._built_in = built_in
        self._own: dict[str, ScorerDefinition] = {}

    def add(self, name: str, definition: ScorerDefinition) -> None:
        """Register a scorer; raises ValidationError for a name that cannot be used."""
        if not NAME.fullmatch(name):
            raise ValidationError(
                f"scorer name {name!r} is not allowed: a letter, then letters, "
                "digits and . _ - up to 64"
            )
        if name in self._built_in:
            raise ValidationError(f"scorer {name!r} is built in; choose another name")
        self._own[name] = definition

    def remove(self, name: str) -> None:
        """Forget a scorer of one's own, if it is there."""
        self._own.pop(name, None)

    def get(self, name: str) -> ScorerDefinition:
        """The definition; raises UnknownScorerError listing the names that exist."""
        if name in self._built_in:
            return _as_definition(_load(self._built_in[name]))
        if name in self._own:
            return self._own[name]
        installed = _installed()
        if name in installed:
            return self._from_entry_point(installed[name])
        known = self.names()
        raise UnknownScorerError(
            f"unknown scorer {name!r}; {_hint(name, known)}"
            f"known scorers: {one_of(known)}"
        )

    def names(self) -> list[str]:
        """Every name that `get` answers to, sorted."""
        return sorted({*self._built_in, *self._own, *_installed()})

    def _from_entry_point(self, entry: EntryPoint) -> ScorerDefinition:
        try:
            found = entry.load()
        except Exception as error:  # foreign code: whatever its import raises
            raise ConfigError(
                f"scorer {entry.name!r} of {entry.value!r} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        for definition in self._own.values():
            if definition.source is found:
                return definition
        return _as_definition(found)


SCORERS = ScorerRegistry()
"""The registry that is used where none is passed."""


@overload
def scorer(function: F, /) -> F: ...


@overload
def scorer(
    *,
    name: str | None = None,
    needs_target: bool = False,
    binary: bool = False,
    argument: Argument = "none",
    registry: ScorerRegistry = SCORERS,
) -> Callable[[F], F]: ...


def scorer(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    needs_target: bool = False,
    binary: bool = False,
    argument: Argument = "none",
    registry: ScorerRegistry = SCORERS,
) -> F | Callable[[F], F]:
    """Register a function of one's own as a scorer, under its name or another.

    It takes `(sample, completion)`, returns a `Score` or a number, and may be async.
    With `argument` "optional" or "required" it takes the text behind `NAME:` instead
    and returns such a function. `needs_target` refuses samples without a target
    before any call. The function itself is returned unchanged.
    """

    def register(own: F) -> F:
        definition = ScorerDefinition(
            make=(lambda text: own) if argument == "none" else own,
            argument=argument,
            needs_target=needs_target,
            binary=binary,
            source=own,
        )
        registry.add(name or own.__name__, definition)
        return own

    return register if function is None else register(function)


def is_async(function: ScorerFunction) -> bool:
    """Whether calling the scorer gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)
    )


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _as_definition(found: Any) -> ScorerDefinition:
    if isinstance(found, ScorerDefinition):
        return found
    if not callable(found):
        raise ConfigError(f"scorer {found!r} is neither a function nor a definition")
    return ScorerDefinition.of(found)


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _hint(name: str, known: list[str]) -> str:
    from rapidfuzz import process  # only where a name was mistyped

    close = process.extractOne(name.casefold(), known, score_cutoff=60)
    return f"did you mean {close[0]!r}? " if close else ""
