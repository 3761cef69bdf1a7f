"""`Lab`: the workbench that notebooks, scripts, the CLI and the server talk to."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, GenerateConfig
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.lab.asking import Keep, Said, check_asked
from aistrale_lab.lab.comparing import compare_runs
from aistrale_lab.lab.exchanging import Carried, Place, carry, other_place
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.forecasting import Basis, Plan, Scored, score_forecast
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.launcher import Order
from aistrale_lab.lab.listing import ModelList
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import parse_models
from aistrale_lab.lab.progress import watched
from aistrale_lab.lab.resuming import SettingsOf, stored_settings
from aistrale_lab.lab.scoring_again import score_again
from aistrale_lab.lab.workings import Workings
from aistrale_lab.pricing import Price
from aistrale_lab.scorers.base import make_scorers
from aistrale_lab.store.records import RunRecord, Visibility
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    from aistrale_lab.analysis.compare import Comparison
    from aistrale_lab.analysis.side_by_side import SideBySide


class Lab(Workings):
    """A bench over one store. Close it, or use it as a context manager.

    All methods may be called from any thread; runs go on in the engine's own.
    """

    def price(self, model: str) -> Price | None:
        """What a model's calls cost, None if nobody told; raises ConfigError."""
        return self._launcher.place(ModelRef.parse(model), RunOptions())[1]

    async def ask(
        self,
        model: str,
        messages: Said,
        config: GenerateConfig | Mapping[str, Any] | None = None,
        *,
        keep: Keep | None = None,
    ) -> Answer:
        """Ask one model one thing, outside any run: `await bench.ask(model, "2+2?")`.

        With the retries and limits of a run's calls. Nothing is stored, but `keep` is
        awaited with what became of the call before it is told here, even if it failed
        or the caller left. Raises ConfigError if nothing was sent, else RunnerError.
        """
        return await self._asking.ask(check_asked(model, messages, config), keep)

    def stream(
        self,
        model: str,
        messages: Said,
        config: GenerateConfig | Mapping[str, Any] | None = None,
        *,
        keep: Keep | None = None,
    ) -> AsyncGenerator[Chunk | Answer, None]:
        """`ask`, piece by piece as the words come; the last item is the whole `Answer`.

        An answer that breaks off after its first word is not asked for again. Whoever
        closes the generator, or cancels, cancels the call.
        """
        return self._asking.stream(check_asked(model, messages, config), keep)

    def start(
        self,
        task: Task,
        models: Iterable[str] | str,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        fresh: bool = False,
        owner: str | None = None,
        visibility: Visibility = "private",
        **options: Any,
    ) -> RunHandle[Experiment]:
        """Start a task on models and return at once, with a handle on the run.

        The options are the fields of `RunOptions`. Everything is checked before the
        first call: a ConfigError, DatasetError or PromptError means nothing was
        sent. An experiment with the same name, task, models and endpoints is
        returned if it is finished and resumed if it is not, unless `fresh`. On a
        server, `owner` is the user whose it is, and who alone goes on with it.
        """
        chosen = RunOptions.of(options)
        order = Order(
            task,
            parse_models(models),
            chosen,
            name=name or task.name,
            tags=dict(tags or {}),
            fresh=fresh,
            owner=owner,
            visibility=visibility,
        )
        return self._launcher.start(order)

    async def run(
        self, task: Task, models: Iterable[str] | str, **options: Any
    ) -> Experiment:
        """`start`, and wait for the end; interrupting the wait stops the run.

        On a terminal the progress is seen meanwhile. Says in a line which runs did
        not complete, and why.
        """
        return _told(await watched(self.start(task, models, **options)))

    def attach(self, which: str) -> RunHandle[Experiment]:
        """The handle of an experiment, by its id or the beginning of it.

        If this bench executes it, the handle that `start` gave; if another process
        does, one that follows it in the store, and asks that process to stop it; else
        one that is done, and tells how far it came.
        """
        runs = self._runs_matching(which)
        return self._launcher.attach(runs[0].experiment_id)

    def find(
        self,
        task: Task,
        models: Iterable[str] | str,
        *,
        name: str | None = None,
        owner: str | None = None,
        **options: Any,
    ) -> Experiment | None:
        """The experiment that `start` would go on with instead of a new one, if any."""
        chosen, name = RunOptions.of(options), name or task.name
        order = Order(task, parse_models(models), chosen, name, owner=owner)
        return self._launcher.find(order)

    async def models(self) -> ModelList:
        """What every endpoint that is set up offers, and why one offers nothing."""
        return await asyncio.wrap_future(self.start_models())

    def start_models(self) -> "Future[ModelList]":
        """`models`, without waiting."""
        return self._engine.submit(self._launcher.list_models())

    def plan(
        self,
        task: Task,
        models: Iterable[str] | str,
        *,
        pilot: str | None = None,
        effect: float | None = None,
        output_tokens: int | None = None,
        **options: Any,
    ) -> Plan:
        """What a run would take, and what it could show; nothing is sent.

        `pilot` is an experiment or run of the same prompt, whose answers tell tokens,
        cost and time; `effect` a difference that is to be shown; `output_tokens` what
        an answer is taken to have. Everything is checked as `start` checks it.
        """
        chosen = RunOptions.of(options)
        order = Order(task, parse_models(models), chosen, task.name)
        return self._launcher.forecast(order, Basis(pilot, effect, output_tokens))

    def score_plan(self, which: str) -> list[Scored]:
        """How wrong the forecast of a run was that stands on assumptions."""
        return score_forecast(self._store, self.run_record(which))

    def start_resume(
        self,
        which: str,
        *,
        failed: bool = False,
        settings: SettingsOf = stored_settings,
        **options: Any,
    ) -> RunHandle[Experiment]:
        """Send what is missing of an experiment, or of one of its runs.

        Missing is a sample without a row, or one whose error was transient or
        followed a dead lane; with `failed` permanent errors are sent again too.
        `settings` says what each run goes on with, or refuses it.
        Raises ConfigError, naming the part, if the dataset's file, a base URL or
        the prompt's meaning changed since.
        """
        runs = self._runs_matching(which)
        chosen = RunOptions.of(options)
        return self._launcher.resume(runs, chosen, failed=failed, settings=settings)

    async def resume(
        self, which: str, *, failed: bool = False, **options: Any
    ) -> Experiment:
        """`start_resume`, and wait for the end."""
        return _told(await watched(self.start_resume(which, failed=failed, **options)))

    def experiment(self, which: str) -> Experiment:
        """An experiment by its id, or an unambiguous beginning of it."""
        self._launcher.refresh(which)
        return Experiment(self._store, self._store.get_experiment(which).id)

    def runs(self, limit: int | None = None) -> Sequence[RunRecord]:
        """All runs of the store, newest first."""
        return self._launcher.list_runs(limit)

    def run_record(self, which: str) -> RunRecord:
        """A run by its id, or an unambiguous beginning of it."""
        self._launcher.know(which)
        return self._store.get_run(which)

    def score(self, which: str, scorers: Iterable[str] | str) -> int:
        """Score stored answers again, without a single call.

        Returns how many answers were scored. New scores of the same name replace
        the old ones. Raises UnknownScorerError, or DatasetError where a target is
        missing.
        """
        made = make_scorers([scorers] if isinstance(scorers, str) else scorers)
        runs = self._runs_matching(which)
        scored = self._engine.wait(score_again(self._store, runs, made))
        self._launcher.scored(runs[0].experiment_id)
        return scored

    def compare(
        self,
        baseline: str | RunRecord,
        candidate: str | RunRecord,
        *,
        anyway: bool = False,
        **how: Any,
    ) -> "Comparison":
        """Candidate minus baseline, paired by sample: is it better, and how sure?

        Both are runs, by id or the beginning of it. `how` is `level`, `draws` and
        `seed`. Raises ValidationError if they asked other datasets or prompts, unless
        `anyway`.
        """
        runs = [self._known_run(which) for which in (baseline, candidate)]
        return compare_runs(self._store, *runs, anyway=anyway, **how)

    def side_by_side(
        self, *which: str | RunRecord, scorer: str | None = None
    ) -> "SideBySide":
        """Two or more runs of the same samples beside each other, baseline first.

        Raises ValidationError if they asked other datasets.
        """
        from aistrale_lab.analysis.side_by_side import side_by_side

        runs = [self._known_run(one) for one in which]
        return side_by_side(self._store, runs, scorer)

    def export(self, which: str, path: Path | str, *, raw: bool = False) -> int:
        """Write a run's or an experiment's results to a file; returns the rows.

        The suffix chooses the format: .jsonl, .csv or .parquet. In CSV, cells that a
        spreadsheet would take for a formula are defused, unless `raw`.
        """
        from aistrale_lab.analysis.export import export

        runs = self._runs_matching(which)
        return export(self._store, [r.id for r in runs], Path(path), raw=raw)

    def push(self, to: str, *which: str) -> list[Carried]:
        """Put experiments, or all of them, into the store or server at a URL.

        What is there already is not put in again; of two outcomes of one sample the
        newer counts. `which` are ids, or beginnings of them. Raises NotFoundError.
        """
        with self._other_place(to) as there:
            return carry(self._launcher.shared, there, which)

    def pull(self, source: str, *which: str) -> list[Carried]:
        """Fetch experiments, or all of them, from the store or server at a URL."""
        with self._other_place(source) as there:
            return carry(there, self._launcher.shared, which)

    def _other_place(self, url: str) -> AbstractContextManager[Place]:
        here = (self._launcher.url, self._store.full_url)
        return other_place(url, here=here, token=self._settings.token)

    def _runs_matching(self, which: str) -> list[RunRecord]:
        self._launcher.know(which)
        return self._store.runs_matching(which)

    def _known_run(self, which: str | RunRecord) -> RunRecord:
        if not isinstance(which, RunRecord):
            return self.run_record(which)
        self._launcher.know(which.id)
        return which


def _told(experiment: Experiment) -> Experiment:
    """The experiment, after a line for each run that is not complete."""
    for run in experiment.runs:
        if run.status is not RunStatus.COMPLETED:
            note(f"{run.model}: {run.status}: {run.reason or 'no answer'}")
    return experiment
