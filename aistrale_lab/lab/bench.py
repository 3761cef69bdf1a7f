"""`Lab`: the workbench that notebooks, scripts, the CLI and the server talk to."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from aistrale_lab.domain.calls import Answer
from aistrale_lab.domain.chat import Chunk, GenerateConfig
from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.lab.asking import Asking, Keep, Said, check_asked
from aistrale_lab.lab.comparing import compare_runs
from aistrale_lab.lab.exchanging import (
    Carried,
    Place,
    StorePlace,
    carry,
    check_other,
    opened,
)
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.forecasting import Plan, Scored, score_forecast
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.launch import Launcher
from aistrale_lab.lab.listing import ModelList
from aistrale_lab.lab.mirror import Mirror, ServerPlace, open_team
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.progress import watched
from aistrale_lab.lab.remote_launch import RemoteLauncher
from aistrale_lab.lab.scoring import Scoring
from aistrale_lab.lab.team import Team, is_server
from aistrale_lab.logs import Log
from aistrale_lab.pricing import Price
from aistrale_lab.scorers.base import NamedScorer, check_targets, make_scorers
from aistrale_lab.settings import Settings, load_settings
from aistrale_lab.store.batches import Batches
from aistrale_lab.store.records import PointRecord, RunRecord, Visibility
from aistrale_lab.store.results import Store
from aistrale_lab.telemetry.opening import open_telemetry
from aistrale_lab.terminal import note

if TYPE_CHECKING:
    from aistrale_lab.analysis.compare import Comparison
    from aistrale_lab.analysis.side_by_side import SideBySide
    from aistrale_lab.telemetry.observer import Telemetry

T = TypeVar("T")


class Lab:
    """A bench over one store. Close it, or use it as a context manager.

    All methods may be called from any thread; runs go on in the engine's own.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log: Log,
        telemetry: "Telemetry | None" = None,
        remote: tuple[Team, Mirror] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._engine = EngineThread()
        self._telemetry = telemetry
        self._remote = remote
        self._launcher: Launcher | RemoteLauncher = (
            RemoteLauncher(*remote, self._engine)
            if remote
            else Launcher(store, settings, log, self._engine, telemetry)
        )
        self._asking = Asking(
            self._engine, self._launcher.place, store.recorder, telemetry
        )

    @classmethod
    def open(
        cls, store: str | None = None, *, settings: Settings | None = None
    ) -> "Lab":
        """Open the bench over a store's URL, made on first use, or over a server's.

        Without one: AISTRALE_STORE, else sqlite:///aistrale.db. Over `https://` it is
        the bench of a team: runs are executed there, as the user whose token is in
        AISTRALE_TOKEN. Raises ConfigError for a malformed URL or settings file,
        StoreError for a broken store, NotSignedInError without a valid token.
        """
        settings = settings or load_settings()
        url = store or settings.store
        remote = None
        if is_server(url):
            remote = open_team(url, settings.token)
        opened = remote[1].store if remote else Store.open(url)
        log = Log(
            opened.log_path,
            secrets=settings.secrets(),
            human=settings.log == "human",
        )
        telemetry = open_telemetry(
            settings.telemetry.traces,
            settings.telemetry.metrics,
            log=log,
            secrets=settings.secrets(),
        )
        return cls(opened, settings, log, telemetry, remote)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what still runs, flush the store, and leave no thread behind."""
        self._asking.close()
        self._launcher.close()
        self._engine.close()
        self._store.close()
        if self._telemetry is not None:
            self._telemetry.close()
        self._log.close()
        if self._remote is not None:
            self._remote[1].close()

    @property
    def store_url(self) -> str:
        """The URL of the store, or of the server, without any password."""
        return self._launcher.url

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key that is set, to be taken out of what is written."""
        return self._settings.secrets()

    @property
    def settings(self) -> Settings:
        """What is set, for a server over this bench."""
        return self._settings

    @property
    def asking(self) -> Asking:
        """What `ask` and `stream` go through, for a server over this bench."""
        return self._asking

    def price(self, model: str) -> Price | None:
        """What a model's calls cost, None if nobody told; raises ConfigError."""
        return self._launcher.place(ModelRef.parse(model), RunOptions())[1]

    @property
    def store(self) -> Store:
        """The store, for a server over this bench."""
        return self._store

    @property
    def log(self) -> Log:
        """The log, with secrets taken out of what is written to it."""
        return self._log

    @property
    def telemetry(self) -> "Telemetry | None":
        """Who observes the bench, for a server over it; None if nobody does."""
        return self._telemetry

    @property
    def batches(self) -> Batches:
        """The batches of the store."""
        return Batches(self._store)

    def environment_of_point(
        self, point: PointRecord, notebook: str, embedded_url: str | None
    ) -> dict[str, str]:
        """The variables by which a kernel works for a point of a batch."""
        told = {
            "AISTRALE_STORE": self._store.full_url,
            "AISTRALE_BATCH": point.batch_id,
            "AISTRALE_POINT": point.key,
            "AISTRALE_NOTEBOOK": notebook,
        }
        return told | ({"AISTRALE_EMBEDDED_URL": embedded_url} if embedded_url else {})

    def start_embedded(self) -> "Future[str]":
        """Serve the models in the box; their base URL, once they answer."""
        return self._engine.submit(self._launcher.start_embedded())

    def conduct(
        self,
        work: Coroutine[Any, Any, None],
        *,
        so_far: Callable[[], T],
        handle_id: str,
        lanes: Sequence[LaneProgress],
    ) -> RunHandle[T]:
        """Conduct work over many runs on the engine, with a handle on it."""
        return self._launcher.conduct(
            work, so_far=so_far, handle_id=handle_id, lanes=lanes
        )

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
        return self._launcher.start(
            task,
            models,
            RunOptions.of(options),
            name=name or task.name,
            tags=dict(tags or {}),
            fresh=fresh,
            owner=owner,
            visibility=visibility,
        )

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
        does, one that follows it in the store and cannot stop it; else one that is
        done, and tells how far it came.
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
        chosen = RunOptions.of(options)
        return self._launcher.find(task, models, chosen, name or task.name, owner)

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
        return self._launcher.forecast(
            task,
            models,
            chosen,
            pilot=pilot,
            effect=effect,
            output_tokens=output_tokens,
        )

    def score_plan(self, which: str) -> list[Scored]:
        """How wrong the forecast of a run was that stands on assumptions."""
        return score_forecast(self._store, self.run_record(which))

    def start_resume(
        self, which: str, *, failed: bool = False, **options: Any
    ) -> RunHandle[Experiment]:
        """Send what is missing of an experiment, or of one of its runs.

        Missing is a sample without a row, or one whose error was transient or
        followed a dead lane; with `failed` permanent errors are sent again too.
        Raises ConfigError, naming the part, if the dataset's file, a base URL or
        the prompt's meaning changed since.
        """
        runs = self._runs_matching(which)
        return self._launcher.resume(runs, RunOptions.of(options), failed=failed)

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
        texts = [scorers] if isinstance(scorers, str) else list(scorers)
        made = make_scorers(texts)
        runs = self._runs_matching(which)
        task = self._store.load_task(runs[0].experiment_id)
        check_targets(made, task.dataset)
        scored = self._engine.wait(self._score(task, runs, made))
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
        with self._opened(to) as there:
            return carry(self._launcher.shared, there, which)

    def pull(self, source: str, *which: str) -> list[Carried]:
        """Fetch experiments, or all of them, from the store or server at a URL."""
        with self._opened(source) as there:
            return carry(there, self._launcher.shared, which)

    @contextmanager
    def _opened(self, url: str) -> Iterator[Place]:
        """The other place, by its URL; raises ConfigError if it is this one."""
        if is_server(url):
            with closing(Team(url, self._settings.token)) as team:
                check_other(team.url, self._launcher.url)
                yield ServerPlace(team)
        else:
            with opened(url) as there:
                check_other(there.full_url, self._store.full_url)
                yield StorePlace(there)

    def _runs_matching(self, which: str) -> list[RunRecord]:
        self._launcher.know(which)
        return self._store.runs_matching(which)

    def _known_run(self, which: str | RunRecord) -> RunRecord:
        if not isinstance(which, RunRecord):
            return self.run_record(which)
        self._launcher.know(which.id)
        return which

    async def _score(
        self, task: Task, runs: Sequence[RunRecord], scorers: Sequence[NamedScorer]
    ) -> int:
        samples = {sample.id: sample for sample in task.dataset}
        scoring = Scoring(scorers, self._store.recorder.save_scores)
        scored = 0
        for run in runs:
            for sample_id, epoch, completion in self._store.answers(run.id):
                await scoring.submit(run.id, samples[sample_id], completion, epoch)
                scored += 1
        await scoring.drain()
        return scored


def _told(experiment: Experiment) -> Experiment:
    """The experiment, after a line for each run that is not complete."""
    for run in experiment.runs:
        if run.status is not RunStatus.COMPLETED:
            note(f"{run.model}: {run.status}: {run.reason or 'no answer'}")
    return experiment
