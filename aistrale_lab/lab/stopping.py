"""Stopping a paired comparison as soon as it is decided, without losing its level."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from aistrale_lab.domain.tasks import Sample, Task
from aistrale_lab.errors import ValidationError
from aistrale_lab.lab.options import EFFECT, RunOptions
from aistrale_lab.lab.plan import LanePlan

Seen = tuple[str, str]
"""Run and sample."""


@dataclass(slots=True)
class Unit:
    """Samples that count as one observation: those of a group, or one alone."""

    samples: Sequence[Sample]
    unseen: set[Seen] = field(default_factory=set)


class StoppingRule:
    """Looks at the difference of two runs after every unit of samples.

    The units are sent in an order that is random but the same for both runs, and are
    looked at in that order, whichever answer comes first: a slow answer may well be a
    wrong one. The bets of `analysis.sequences` keep the level at every look. Samples
    that failed in either run leave their unit without that pair. `end` is called once,
    with the reason; `warn` if scores are no shares, so that no rule can hold.
    """

    def __init__(
        self,
        task: Task,
        run_ids: Sequence[str],
        *,
        end: Callable[[str], None],
        warn: Callable[[str], None],
        seed: str,
        effect: float = EFFECT,
    ) -> None:
        from aistrale_lab.analysis.sequences import ConfidenceSequence  # loads scipy

        self._baseline, self._candidate = _sides(task, run_ids)
        self._end, self._warn = end, warn
        self._units = _units(task.dataset.samples, run_ids)
        Random(seed).shuffle(self._units)
        self._unit_of = {
            sample.id: unit for unit in self._units for sample in unit.samples
        }
        self._scores: dict[Seen, float] = {}
        self._sequence = ConfidenceSequence(effect=effect)
        self._next = 0
        self._is_over = False

    @property
    def order(self) -> tuple[Sample, ...]:
        """All samples, in the order in which they are to be sent."""
        return tuple(sample for unit in self._units for sample in unit.samples)

    def observe(self, run_id: str, sample_id: str, score: float | None) -> None:
        """Take the score of a sample; None if it failed or could not be scored."""
        seen = (run_id, sample_id)
        self._unit_of[sample_id].unseen.discard(seen)
        if score is not None:
            self._scores[seen] = score
        while not self._is_over and self._is_next_complete():
            self._look(self._units[self._next])
            self._next += 1

    def _is_next_complete(self) -> bool:
        return self._next < len(self._units) and not self._units[self._next].unseen

    def _look(self, unit: Unit) -> None:
        pairs = [
            (
                self._scores.get((self._baseline, sample.id)),
                self._scores.get((self._candidate, sample.id)),
            )
            for sample in unit.samples
        ]
        differences = [
            after - before
            for before, after in pairs
            if before is not None and after is not None
        ]
        if not differences:
            return
        try:
            self._sequence.add([sum(differences) / len(differences)])
        except ValidationError as error:
            self._is_over = True
            self._warn(f"the run goes on to its end: {error.message}")
            return
        self._judge(len(self._units) - self._next - 1)

    def _judge(self, remaining: int) -> None:
        found = self._sequence
        looked = f"{found.n:,} of {len(self._units):,}"
        if found.decided:
            self._is_over = True
            self._end(
                f"decided: the difference is within [{found.low:+.3f}, "
                f"{found.high:+.3f}] ({100 * found.level:g} % confidence sequence) "
                f"after {looked}"
            )
        elif remaining and found.futile(remaining):
            self._is_over = True
            self._end(f"futile: what remains cannot decide it, after {looked}")


def check_rule(chosen: RunOptions, task: Task, plans: Sequence[LanePlan]) -> None:
    """Raise ValidationError if runs are to end once decided, and nothing can be."""
    if chosen.stop_when is not None:
        _sides(task, [plan.spec.run_id for plan in plans])


def _sides(task: Task, run_ids: Sequence[str]) -> tuple[str, str]:
    """The baseline and the candidate; ValidationError if there is nothing to decide."""
    if len(run_ids) != 2:
        raise ValidationError(
            f"stop_when='decided' compares two runs, not {len(run_ids)}: the first "
            "model is the baseline, the second the candidate"
        )
    if not task.scorers:
        raise ValidationError("stop_when='decided' needs a scorer: nothing is compared")
    if task.epochs > 1:
        raise ValidationError(
            "stop_when='decided' needs epochs=1: other samples decide, not repeats"
        )
    return run_ids[0], run_ids[1]


def _units(samples: Iterable[Sample], run_ids: Sequence[str]) -> list[Unit]:
    """The groups, and the samples without one."""
    by_group: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        key = ("sample", sample.id) if sample.group is None else ("group", sample.group)
        by_group.setdefault(key, []).append(sample)
    return [
        Unit(found, {(run, sample.id) for run in run_ids for sample in found})
        for found in by_group.values()
    ]
