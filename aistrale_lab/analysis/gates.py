"""Gates: what a comparison must show, with its whole interval, to be let through."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aistrale_lab.analysis.compare import Comparison
from aistrale_lab.errors import ValidationError

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_GATE = re.compile(r"\s*(?P<metric>\S+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<bound>\S+)\s*")


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on the difference of one metric, candidate minus baseline.

    `number >= -0.01` is a gate of non-inferiority: the low end of the interval must be
    at least -0.01. `number > 0` is one of superiority. For `<` and `<=` the high end
    counts. A metric without an interval meets no gate.
    """

    metric: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """A gate from its text; ValidationError if it is none."""
        found = _GATE.fullmatch(text)
        try:
            if found is None:
                raise ValueError("no comparison")
            bound = float(found["bound"])
        except ValueError as error:
            raise ValidationError(
                f"{text!r} is no gate; a gate is METRIC >= NUMBER (or >, <=, <) about "
                "the difference, for example 'number >= -0.01'"
            ) from error
        return cls(found["metric"], found["sign"], bound)

    def is_met(self, comparison: Comparison) -> bool:
        """Whether the interval lies wholly on the right side of the bound.

        Raises NotFoundError if the metric was not compared.
        """
        paired = comparison.metric(self.metric).paired
        return self.admits(paired.low, paired.high)

    def admits(self, low: float | None, high: float | None) -> bool:
        """Whether an interval lies wholly on the right side; an unknown one does not."""
        end = low if self.sign.startswith(">") else high
        return end is not None and _OPERATORS[self.sign](end, self.bound)

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.bound:g}"
