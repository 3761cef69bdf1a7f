"""What a report is made from, read once: records and numbers, no texts of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aistrale_lab.analysis.columns import SCORE
from aistrale_lab.analysis.compare import Comparison
from aistrale_lab.analysis.frames import summary_df
from aistrale_lab.analysis.fronts import pareto_df
from aistrale_lab.analysis.leaderboard import Leaderboard, leaderboard
from aistrale_lab.analysis.run_tables import model_names
from aistrale_lab.analysis.summary import compare_object, run_objects
from aistrale_lab.errors import LabError
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report.links import NOWHERE, Links
from aistrale_lab.report.texts import name, shown
from aistrale_lab.store.records import DatasetRecord, ExperimentRecord, RunRecord

RANKED = 40
"""With more runs than that there are no leaderboards: their pairs are too many."""

METRICS = 8
"""Scorers that have a leaderboard of their own."""


@dataclass(frozen=True, slots=True)
class Material:
    """An experiment as stored: its records, and its results without their texts.

    `objects` are the JSON objects of the runs, in their order, whose models bear the
    names of `names` (by the run's id), which no two runs share. `metrics` are the
    scorers that scored something, in their order.
    """

    experiment: Experiment
    record: ExperimentRecord
    dataset: DatasetRecord
    runs: Sequence[RunRecord]
    names: Mapping[str, str]
    results: pd.DataFrame
    objects: Sequence[dict[str, Any]]
    metrics: Sequence[str]
    links: Links

    @property
    def run_links(self) -> list[str]:
        """The addresses of the runs, in their order."""
        return [self.links.run(run.id) for run in self.runs]

    @property
    def metric(self) -> str | None:
        """The scorer by which samples are called worst: the first that scored."""
        return next(iter(self.metrics), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the results show: leaderboards by metric, and the two best compared.

    `reasons` say why there is no leaderboard of a metric, `unlike` why nothing is
    compared. `found` is the comparison's JSON object.
    """

    boards: Mapping[str, Leaderboard]
    reasons: Sequence[str]
    front: pd.DataFrame | None
    comparison: Comparison | None
    found: Mapping[str, Any]
    unlike: str

    def order(self, runs: Sequence[RunRecord]) -> list[str]:
        """The runs' ids, the best first where they are ranked."""
        board = next(iter(self.boards.values()), None)
        ranked = [one.run.id for one in board.standings] if board else []
        return list(dict.fromkeys([*ranked, *(run.id for run in runs)]))


def read_material(experiment: Experiment, links: Links = NOWHERE) -> Material:
    """Read all that a report needs besides a few excerpts of answers."""
    runs = experiment.runs
    results = experiment.measures_df()
    objects = run_objects(runs, results, summary_df(results, runs))
    scored = (str(c) for c in results if str(c).startswith(SCORE))
    metrics = [c[len(SCORE) :] for c in scored if results[c].notna().any()]
    return Material(
        experiment=experiment,
        record=experiment.record,
        dataset=experiment.dataset,
        runs=runs,
        names=_names(runs),
        results=results,
        objects=objects,
        metrics=metrics,
        links=links,
    )


def find_evidence(material: Material) -> Evidence:
    """Rank the runs by each metric, and hold the two best against each other."""
    boards: dict[str, Leaderboard] = {}
    reasons: dict[str, None] = {}
    for metric in material.metrics[:METRICS]:
        try:
            boards[metric] = _board(material, metric)
        except LabError as error:
            reasons[shown(error.message)] = None
    best = next(iter(boards.values()), None)
    comparison, unlike = _compare(material, best)
    found: dict[str, Any] = compare_object(comparison) if comparison else {}
    for side in ("baseline", "candidate") if comparison else ():
        found[f"{side}_model"] = material.names[found[side]]
    return Evidence(
        boards, list(reasons), _front(material, best), comparison, found, unlike
    )


def _board(material: Material, metric: str) -> Leaderboard:
    if len(material.runs) > RANKED:
        raise LabError(
            f"the {len(material.runs):,} runs are not ranked: a report ranks up to "
            f"{RANKED}"
        )
    return leaderboard(material.results, material.runs, metric)


def _front(material: Material, board: Leaderboard | None) -> pd.DataFrame | None:
    if board is None:
        return None
    try:
        return pareto_df(material.results, material.runs, board.metric)
    except LabError:
        return None  # nothing is known that quality could be weighed against


def _compare(
    material: Material, board: Leaderboard | None
) -> tuple[Comparison | None, str]:
    """The best run against the second; without a leaderboard, the second run."""
    if board is not None:
        candidate, baseline = (one.run.id for one in board.standings[:2])
    elif len(material.runs) == 2:
        baseline, candidate = (run.id for run in material.runs)
    elif len(material.runs) < 2:
        return None, "there is one run: nothing to compare it with"
    else:
        return None, "without a leaderboard there are no two best to compare"
    try:
        return material.experiment.compare(baseline, candidate), ""
    except LabError as error:
        return None, shown(error.message)


def _names(runs: Sequence[RunRecord]) -> Mapping[str, str]:
    ids = [run.id for run in runs]
    return {one: name(told) for one, told in zip(ids, model_names(runs), strict=True)}
