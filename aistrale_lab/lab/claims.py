"""Claims of a notebook's cell: `# LAB_CHECK: number >= 0.8 @ 0.95 for openai/gpt-5`.

A claim is about what the cell shows (an experiment or a comparison), else about the
notebook's one experiment. It holds if the whole interval lies there, of every run or
of the one that is named.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aistrale_lab.analysis.gates import Gate
from aistrale_lab.domain.values import Value
from aistrale_lab.errors import NotFoundError, ValidationError
from aistrale_lab.lab.experiment import LEVEL, Experiment

if TYPE_CHECKING:
    from aistrale_lab.analysis.compare import Comparison

MARKER = re.compile(r"^\s*#\s*LAB_CHECK:\s*(?P<claim>.*?)\s*$", re.MULTILINE)
CLAIM = re.compile(
    r"(?P<gate>.*?)(\s*@\s*(?P<level>\S+))?(\s+for\s+(?P<model>\S+))?", re.DOTALL
)


class Claim(Value):
    """A gate, the level of the interval that must lie there, and of which model."""

    gate: Gate
    level: float = LEVEL
    model: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Claim":
        """A claim from `METRIC >= NUMBER [@ LEVEL] [for MODEL]`; ValidationError."""
        found = CLAIM.fullmatch(text.strip())
        assert found is not None  # everything fits, if only as a gate
        try:
            level = float(found["level"] or LEVEL)
        except ValueError:
            level = 0.0
        if not 0.5 <= level < 1:
            raise ValidationError(
                f"{found['level']!r} is no level; a level is a share such as 0.95"
            )
        return cls(gate=Gate.parse(found["gate"]), level=level, model=found["model"])

    def faults(self, about: "Experiment | Comparison") -> list[str]:
        """What does not hold, in words; empty if the claim holds.

        Raises NotFoundError for a metric or a model that is not there, and
        ValidationError for a level that a comparison was not made with.
        """
        if isinstance(about, Experiment):
            return list(self._faults_of_runs(about))
        if self.level != about.level:
            raise ValidationError(
                f"the comparison was made with level {about.level}: "
                f"compare(..., level={self.level})"
            )
        paired = about.metric(self.gate.metric).paired
        if self.gate.admits(paired.low, paired.high):
            return []
        names = f"{about.candidate.model} against {about.baseline.model}"
        return [self._fault(names, paired.difference, paired.low, paired.high)]

    def _faults_of_runs(self, experiment: Experiment) -> Iterator[str]:
        summary = experiment.summary_df(level=self.level)
        rows = summary[summary["metric"] == self.gate.metric]
        if rows.empty:
            known = ", ".join(map(str, summary["metric"].dropna().unique()))
            raise NotFoundError(
                f"there is no metric {self.gate.metric!r}; there are {known or 'none'}"
            )
        runs = {run.id: run for run in experiment.runs}
        asked = [run.model for run in runs.values()]
        if self.model is not None and self.model not in asked:
            raise NotFoundError(f"{self.model} was not asked; {', '.join(asked)} were")
        for row in rows.to_dict("records"):
            run = runs[str(row["run_id"])]
            if self.model not in (None, run.model):
                continue
            if run.completed < run.planned:
                yield (
                    f"{run.model}: {run.planned - run.completed} of {run.planned} "
                    "samples have no answer"
                )
            low, high = _known(row["ci_low"]), _known(row["ci_high"])
            if not self.gate.admits(low, high):
                fault = self._fault(run.model, _known(row["value"]), low, high)
                yield f"{fault} ({row['method']}, n = {row['n']})"

    def _fault(
        self, name: str, value: float | None, low: float | None, high: float | None
    ) -> str:
        ends = "without an interval"
        if low is not None and high is not None:
            ends = f"[{low:.3f}, {high:.3f}]"
        shown = "unknown" if value is None else f"{value:.3f}"
        return f"{self.gate} @ {self.level:g} does not hold for {name}: {shown} {ends}"


def claims_of(source: str) -> list[str]:
    """The texts of the claims that a cell makes."""
    return [found["claim"] for found in MARKER.finditer(source)]


def check_cell(text: str, namespace: Mapping[str, Any]) -> list[str]:
    """Hold a claim against what a notebook has: the faults, in words."""
    return Claim.parse(text).faults(_subject(namespace))


def _subject(namespace: Mapping[str, Any]) -> "Experiment | Comparison":
    """What the last cell showed, else the variable `experiment`, else the only one."""
    from aistrale_lab.analysis.compare import Comparison

    shown = namespace.get("_")
    if isinstance(shown, Experiment | Comparison):
        return shown
    named = namespace.get("experiment")
    if isinstance(named, Experiment):
        return named
    found = {
        one.id: one
        for name, one in namespace.items()
        if isinstance(one, Experiment) and not name.startswith("_")
    }
    if len(found) == 1:
        return next(iter(found.values()))
    raise NotFoundError(
        "a claim needs an experiment or a comparison: let the cell's last line be it, "
        "or call it `experiment`"
    )


def _known(end: float) -> float | None:
    return None if end != end else float(end)  # NaN is not itself
