"""An experiment as its reader sees it: a view over the store."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aistrale_lab.domain import rich
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import Sample, Task
from aistrale_lab.errors import NotFoundError, one_of
from aistrale_lab.lab.comparing import compare_runs
from aistrale_lab.scorers.base import parse_spec
from aistrale_lab.store.excerpts import Excerpt, Key, read_excerpts, read_scores
from aistrale_lab.store.groups import count_groups, list_groups
from aistrale_lab.store.opened import OpenedResult, open_result
from aistrale_lab.store.page_search import NUMBERS, TEXTS, PageQuery
from aistrale_lab.store.pages import Page, read_page
from aistrale_lab.store.records import DatasetRecord, ExperimentRecord, RunRecord
from aistrale_lab.store.results import Store

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from aistrale_lab.analysis.compare import Comparison
    from aistrale_lab.analysis.leaderboard import Leaderboard
    from aistrale_lab.analysis.side_by_side import SideBySide
    from aistrale_lab.analysis.tables import Column


LEVEL = 0.95
"""The share of intervals that hold the truth, unless another is asked for."""

MEASURED = (
    *("experiment_id", "run_id", "model", "cached", "queue_s"),
    *("cached_input_tokens", "reasoning_tokens"),
)
"""What is measured of a result besides what comparisons use; no texts."""


class Experiment:
    """Runs made to be compared, read from the store whenever they are asked for.

    In a notebook that a batch executes it shows the runs of its own point, `only`.
    """

    def __init__(
        self, store: Store, experiment_id: str, only: Sequence[str] | None = None
    ) -> None:
        self._store = store
        self.id = experiment_id
        self._only = only

    @property
    def record(self) -> ExperimentRecord:
        """What is stored of the experiment itself: task, tags and provenance."""
        return self._store.get_experiment(self.id)

    @property
    def name(self) -> str:
        """The experiment's name; by default that of its dataset."""
        return self.record.name

    @property
    def runs(self) -> Sequence[RunRecord]:
        """The runs, in the order of the models and of the sweep."""
        runs = self._store.runs_of(self.id)
        return [run for run in runs if self._only is None or run.id in self._only]

    @property
    def task(self) -> Task:
        """What was asked, with its samples."""
        return self._store.load_task(self.id)

    @property
    def dataset(self) -> DatasetRecord:
        """What is stored of the dataset besides its samples."""
        return self._store.get_dataset(self.record.dataset)

    @property
    def scorers(self) -> list[str]:
        """The names of the scorers that every answer was to be judged by."""
        texts = self._store.get_experiment(self.id).task["scorers"]
        return [parse_spec(text).name for text in texts]

    @property
    def complete(self) -> bool:
        """Whether every sample of every run has its row."""
        return all(run.status is RunStatus.COMPLETED for run in self.runs)

    def table(self) -> "list[Column]":
        """The summary as people read it: one row per run, numbers in words."""
        from aistrale_lab.analysis.frames import summary_df
        from aistrale_lab.analysis.summary import run_objects
        from aistrale_lab.analysis.tables import summary_columns

        runs, results = self.runs, self.measures_df()
        return summary_columns(run_objects(runs, results, summary_df(results, runs)))

    def page(self, query: PageQuery, columns: Sequence[str]) -> Page:
        """A page of the results, sorted, searched and filtered by the store."""
        return read_page(
            self._store, self.runs, query, columns, self._scored_by(self.runs)
        )

    def columns(self) -> list[str]:
        """The columns that a page may show: those of `results_df`, as far as known."""
        runs = self.runs
        params = dict.fromkeys(f"param_{name}" for run in runs for name in run.params)
        scores = [f"score_{name}" for name in self._scored_by(runs)]
        return ["run_id", "model", *TEXTS, *NUMBERS, *scores, *params]

    def groups(self, search: str = "") -> list[str]:
        """The first 200 groups of the samples, sorted; `search` is a part of them."""
        return list_groups(self._store, self.record.dataset, search=search)

    def count_groups(self, search: str = "") -> int:
        """How many groups the samples have; `search` is a part of them."""
        return count_groups(self._store, self.record.dataset, search=search)

    def side_by_side(self, *which: str, scorer: str | None = None) -> "SideBySide":
        """Two or more runs beside each other, baseline first; by default all of them.

        `which` are ids of runs, beginnings of them, or models. Raises NotFoundError,
        and ValidationError for fewer than two runs or an unknown scorer.
        """
        from aistrale_lab.analysis.side_by_side import side_by_side

        runs = self.runs
        chosen = [_only_run(runs, one) for one in which] or list(runs)
        return side_by_side(self._store, chosen, scorer)

    def compare(self, baseline: str, candidate: str, **how: Any) -> "Comparison":
        """Candidate minus baseline, paired by sample; see `Lab.compare`.

        Both are ids of runs, beginnings of them, or models. Raises NotFoundError.
        """
        runs = self.runs
        before, after = (_only_run(runs, one) for one in (baseline, candidate))
        return compare_runs(self._store, before, after, **how)

    def excerpts(self, keys: Iterable[Key], *, longest: int) -> dict[Key, Excerpt]:
        """The beginnings of a few results' texts, by run, sample and epoch."""
        return read_excerpts(self._store, keys, longest=longest)

    def scores(self, keys: Iterable[Key], scorer: str) -> dict[Key, float]:
        """The scores that a scorer gave to a few results, where there are any."""
        return read_scores(self._store, keys, scorer)

    def sample(self, sample_id: str) -> Sample:
        """One sample of the dataset; raises NotFoundError."""
        return self._store.get_sample(self.id, sample_id)

    def opened(self, run_id: str, sample_id: str, epoch: int = 1) -> OpenedResult:
        """All that is stored of one result; raises NotFoundError."""
        return open_result(self._store, run_id, sample_id, epoch)

    def results_df(self) -> "pd.DataFrame":
        """One row per sample, model and epoch; times in seconds, cost in USD."""
        from aistrale_lab.analysis.frames import results_df

        return results_df(self._store, [run.id for run in self.runs])

    def summary_df(self, level: float = LEVEL) -> "pd.DataFrame":
        """One row per run and metric: value, interval, n, tokens, cost, times.

        The intervals are of 95 % unless another `level` is given.
        """
        from aistrale_lab.analysis.frames import summary_df

        return summary_df(self.measures_df(), self.runs, level)

    def leaderboard(self, metric: str | None = None, **how: Any) -> "Leaderboard":
        """Who is best, who is tied with the best, ratings, all pairs corrected.

        `how` is `level`, `draws` and `seed`. Raises ValidationError for an unknown
        metric and for fewer than two runs with answers.
        """
        from aistrale_lab.analysis.leaderboard import leaderboard

        return leaderboard(self.measures_df(), self.runs, metric, **how)

    def pareto_df(self, metric: str | None = None, **how: Any) -> "pd.DataFrame":
        """One row per run: quality, cost, time to first token, and the Pareto front.

        `how` is `against`, `draws` and `seed`; see `analysis.fronts.pareto_df`.
        """
        from aistrale_lab.analysis.fronts import pareto_df

        return pareto_df(self.measures_df(), self.runs, metric, **how)

    def latency_df(self, **how: Any) -> "pd.DataFrame":
        """One row per run and percentile of its times, with bootstrap intervals."""
        from aistrale_lab.analysis.latency import latency_df

        return latency_df(self.results_df(), self.runs, **how)

    def repeats_df(
        self, metric: str | None = None, k: int | None = None
    ) -> "pd.DataFrame":
        """One row per run: how much repeated answers differ, pass@k and pass^k."""
        from aistrale_lab.analysis.repeated import repeats_df

        return repeats_df(self.results_df(), self.runs, metric, k)

    def _scored_by(self, runs: Sequence[RunRecord]) -> list[str]:
        """The task's scorers in their order, then those that scored later."""
        later = self._store.scorers_of([run.id for run in runs])
        return list(dict.fromkeys([*self.scorers, *later]))

    def measures_df(self) -> "pd.DataFrame":
        """The results without their texts."""
        from aistrale_lab.analysis.frames import results_df
        from aistrale_lab.analysis.pairing import USED

        columns = [*USED, *MEASURED]
        return results_df(self._store, [run.id for run in self.runs], columns)

    def plot(self, metric: str | None = None) -> "Figure":
        """The metric with its intervals beside the times; needs matplotlib."""
        from aistrale_lab.analysis.plots import summary_plot

        return summary_plot(self.summary_df(), metric)

    def _repr_html_(self) -> str:
        """What was asked, how far it came, and the summary; all text escaped."""
        record = self.record
        states = Counter(str(run.status) for run in self.runs)
        known = [
            ("experiment", self.id),
            ("created at, UTC", f"{record.created_at:%Y-%m-%d %H:%M}"),
            ("runs", ", ".join(f"{n} {state}" for state, n in states.items())),
            ("reasons", "; ".join(r.reason for r in self.runs if r.reason) or None),
        ]
        facts = [(name, value) for name, value in known if value is not None]
        return f"{rich.facts(record.name, facts)}\n{summary_html(self.table())}"

    def __repr__(self) -> str:
        states = ", ".join(f"{run.model}: {run.status}" for run in self.runs)
        return f"<Experiment {self.id} {self.name!r} ({states})>"


def _only_run(runs: Sequence[RunRecord], which: str) -> RunRecord:
    """The one run of that id, beginning of an id, or model."""
    found = [run for run in runs if run.id.startswith(which) or run.model == which]
    if len(found) == 1:
        return found[0]
    there = one_of([run.model for run in runs])
    what = "there is no run" if not found else "more than one run is"
    raise NotFoundError(f"{what} {which!r} in the experiment; its models: {there}")


def summary_html(columns: "Sequence[Column]") -> str:
    """The columns as a table of escaped cells."""
    rows = zip(*(column.cells for column in columns), strict=True)
    numbers = [n for n, column in enumerate(columns) if column.numeric]
    return rich.table([c.label for c in columns], rows, numbers=numbers)
