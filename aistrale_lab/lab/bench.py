"""`Lab`: the workbench that notebooks, scripts, the CLI and the server talk to."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ConfigError, NotFoundError
from aistrale_lab.lab.conduct import Experimentation
from aistrale_lab.lab.endpoints import resolve
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.limits import affordable_concurrency
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.plan import (
    LanePlan,
    check_task,
    identity,
    parse_models,
    plan_lanes,
)
from aistrale_lab.lab.provenance import provenance
from aistrale_lab.logs import Log
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.settings import Settings, load_settings


class Lab:
    """A bench over one store. Close it, or use it as a context manager.

    All methods may be called from any thread; runs go on in the engine's own.
    """

    def __init__(self, store: Store, settings: Settings, log: Log) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._engine = EngineThread()
        self._embedded: Any = None
        self._handles: list[RunHandle[Experiment]] = []

    @classmethod
    def open(
        cls, store: str | None = None, *, settings: Settings | None = None
    ) -> "Lab":
        """Open the bench over a store's URL, made on first use.

        Without one: AISTRALE_STORE, else sqlite:///aistrale.db. Raises ConfigError
        for a malformed URL or settings file, StoreError for a broken store.
        """
        settings = settings or load_settings()
        opened = Store.open(store or settings.store)
        log = Log(opened.log_path, secrets=settings.secrets())
        return cls(opened, settings, log)

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what still runs, flush the store, and leave no thread behind."""
        for handle in self._handles:
            handle.cancel()
        for handle in self._handles:
            with contextlib.suppress(LabError):
                handle.wait()
        if self._embedded is not None:
            self._engine.wait(self._embedded.close())
        self._engine.close()
        self._store.close()
        self._log.close()

    @property
    def store_url(self) -> str:
        """The store's URL, without any password."""
        return self._store.url

    def start(
        self,
        task: Task,
        models: Iterable[str] | str,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        fresh: bool = False,
        **options: Any,
    ) -> RunHandle[Experiment]:
        """Start a task on models and return at once, with a handle on the run.

        The options are the fields of `RunOptions`. Everything is checked before the
        first call: a ConfigError, DatasetError or PromptError means nothing was
        sent. An experiment with the same name, task, models and endpoints is
        returned if it is finished and resumed if it is not, unless `fresh`.
        """
        chosen = RunOptions.of(options)
        refs = parse_models(models)
        scorers = check_task(task)
        endpoints = self._endpoints(refs, task, chosen)
        name = name or task.name
        same = identity(name, task, endpoints)
        if not fresh:
            earlier = self._store.find_experiment(same)
            if earlier is not None:
                return self._continue(earlier, chosen)
            self._refuse_changed(name, task)
        experiment_id = new_id()
        plans = plan_lanes(
            task,
            endpoints,
            chosen,
            experiment_id=experiment_id,
            new_id=new_id,
            prices=self._prices(),
        )
        self._store.add_experiment(
            experiment_id=experiment_id,
            name=name,
            identity=same,
            task=task,
            runs=[plan.spec for plan in plans],
            provenance=provenance(),
            tags=dict(tags or {}),
        )
        return self._launch(experiment_id, task, plans, scorers, chosen, finished={})

    async def run(
        self, task: Task, models: Iterable[str] | str, **options: Any
    ) -> Experiment:
        """`start`, and wait for the end; interrupting the wait stops the run."""
        return await self.start(task, models, **options)

    def start_resume(
        self, which: str, *, failed: bool = False, **options: Any
    ) -> RunHandle[Experiment]:
        """Send what is missing of an experiment, or of one of its runs.

        Missing is a sample without a row, or one whose error was transient or
        followed a dead lane; with `failed` permanent errors are sent again too.
        Raises ConfigError, naming the part, if the dataset's file, a base URL or
        the prompt's meaning changed since.
        """
        chosen = RunOptions.of(options)
        runs = self._store.runs_matching(which)
        return self._resume(runs, chosen, failed=failed)

    async def resume(
        self, which: str, *, failed: bool = False, **options: Any
    ) -> Experiment:
        """`start_resume`, and wait for the end."""
        return await self.start_resume(which, failed=failed, **options)

    def experiment(self, which: str) -> Experiment:
        """An experiment by its id, or an unambiguous beginning of it."""
        return Experiment(self._store, self._store.get_experiment(which).id)

    def runs(self, limit: int | None = None) -> Sequence[RunRecord]:
        """All runs of the store, newest first."""
        return self._store.list_runs(limit)
