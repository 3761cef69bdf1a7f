"""What the report comes to: its first lines, and what to know before believing them."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from aistrale_lab.analysis import figures
from aistrale_lab.analysis.compare_tables import dropped_lines
from aistrale_lab.analysis.remarks import (
    denominator_lines,
    fault_lines,
    flag_lines,
    unscored_lines,
)
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.report.costs import total_cost
from aistrale_lab.report.description import Line, Section
from aistrale_lab.report.differences import verdict_lines
from aistrale_lab.report.material import Evidence, Material
from aistrale_lab.report.texts import many, name, shown

MOST = 24
"""Sentences of a kind."""


def findings_section(material: Material, evidence: Evidence) -> Section:
    """Verdicts first, then warnings."""
    found = [Line(text, "finding") for text in _some(_found(material, evidence))]
    warned = [Line(text, "warning") for text in _some(_warned(material, evidence))]
    nothing = Line("No answer was scored: the answers are only kept.")
    return Section("findings", "Findings", [*(found or [nothing]), *warned])


def key_figures(material: Material) -> list[tuple[str, str]]:
    """The size of the experiment in a few numbers."""
    runs = material.runs
    planned = sum(run.planned for run in runs)
    completed = sum(run.completed for run in runs)
    models = len({run.model for run in runs})
    return [
        ("models", figures.count(models)),
        *([("runs", figures.count(len(runs)))] if len(runs) > models else []),
        ("samples", figures.count(material.dataset.samples)),
        ("answers", figures.share(completed, planned)),
        ("failed", figures.count(sum(run["failed"] for run in material.objects))),
        ("cost", total_cost(material.objects)),
        ("took", _took(material)),
    ]


def subject(material: Material) -> str:
    """What the experiment did, in a sentence."""
    models = {run.model for run in material.runs}
    who = "One model" if len(models) == 1 else f"{len(models):,} models"
    *most, last = ["", *map(name, material.experiment.scorers)]
    scorers = " and ".join(filter(None, [", ".join(filter(None, most)), last]))
    judged = f"judged by {scorers}" if scorers else "not judged"
    samples = many(material.dataset.samples, "sample")
    return (
        f"{who} on {samples} of {name(material.dataset.name)}, {judged}; "
        f"{_day(material.record.created_at)}."
    )


def _found(material: Material, evidence: Evidence) -> Iterator[str]:
    for board in evidence.boards.values():
        yield f"{board.verdict}."
    yield from verdict_lines(dict(evidence.found))
    if evidence.boards:
        return
    for run in material.objects:
        for metric, value in run["metrics"].items():
            binary = run["denominators"][metric]["binary"]
            mean, interval = figures.metric(value, binary=binary)
            if value["n"]:
                told = f"{run['model']} has {mean} {interval}".strip()
                yield f"{told} on {metric}, over {many(value['n'], 'answer')}."


def _warned(material: Material, evidence: Evidence) -> Iterator[str]:
    going = sum(run.status is RunStatus.RUNNING for run in material.runs)
    if going:
        verb = "goes" if going == 1 else "go"
        yield f"{many(going, 'run')} still {verb} on: this is what there is so far."
    runs = material.objects
    yield from fault_lines([r for r in runs if r["status"] != RunStatus.RUNNING])
    yield from unscored_lines(runs, material.experiment.scorers)
    yield from denominator_lines(runs)
    for board in evidence.boards.values():
        yield from board.warnings
    if evidence.comparison is not None:
        yield from evidence.comparison.warnings
        yield from dropped_lines(dict(evidence.comparison.dropped))
    yield from flag_lines(runs)


def _some(lines: Iterable[str]) -> list[str]:
    """The lines, each once, and not too many."""
    told = list(dict.fromkeys(shown(line) for line in lines))
    more = len(told) - MOST
    return [*told[:MOST], f"{more:,} more."] if more > 0 else told


def _took(material: Material) -> str:
    """From the first call to the end of the last run."""
    started = [run.started_at for run in material.runs if run.started_at]
    ended = [run.finished_at for run in material.runs if run.finished_at]
    if not started or len(ended) < len(material.runs):
        return figures.UNKNOWN
    return figures.span((max(ended) - min(started)).total_seconds())


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"
