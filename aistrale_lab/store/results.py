"""The store as the lab uses it: experiments, runs and their results."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Row,
    Select,
    case,
    func,
    select,
    update,
)

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import RunSpec, RunStatus
from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store import datasets, leases, migrations
from aistrale_lab.store.database import Database
from aistrale_lab.store.reading import (
    EXPERIMENTS,
    RUNS,
    answers_after,
    completion_of,
    experiment_of,
    only_one,
    run_of,
    run_row,
)
from aistrale_lab.store.recorder import Recorder
from aistrale_lab.store.records import (
    DatasetRecord,
    ExperimentRecord,
    PointRecord,
    RunRecord,
    Visibility,
)
from aistrale_lab.store.spool import Spool
from aistrale_lab.store.writing import RESULTS, SCORES, add_missing, clean, write_rows

MOST_RUNS = 1_000
"""How many runs of a point keep their place before those of the next."""


class Store:
    """A store that is open: reading from any thread, writing through `recorder`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.recorder = Recorder(database, Spool(database.path, str(database)))

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open a store, making or migrating its schema as needed.

        Answers that an earlier process could not store are taken in first. Raises
        ConfigError for a malformed URL, StoreError for a store that cannot be used
        or that a newer version made.
        """
        database = Database.open(url)
        with database.closed_on_failure():
            migrations.upgrade(database)
            store = cls(database)
            store._take_in_spool()
        return store

    @property
    def url(self) -> str:
        """The store's URL, without any password."""
        return str(self._database)

    @property
    def full_url(self) -> str:
        """The store's URL for another process, in whichever folder; never shown."""
        return self._database.full_url

    @property
    def path(self) -> Path | None:
        """The file that the store is; None for a server."""
        return self._database.path

    @property
    def log_path(self) -> Path | None:
        """The log file that stands beside a file store."""
        path = self._database.path
        return path.with_suffix(".log") if path else None

    def close(self) -> None:
        """Commit what waits, and close every connection."""
        self.recorder.close()
        self._database.close()

    def read(
        self, statement: Select[Any], values: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """All rows of a statement, whose parameters are given by name."""
        with self._database.read() as connection:
            return connection.execute(statement, values).all()

    def add_experiment(
        self,
        *,
        experiment_id: str,
        name: str,
        identity: str,
        task: Task,
        runs: Sequence[RunSpec],
        provenance: Mapping[str, Any],
        tags: Mapping[str, str],
        origin: Mapping[str, Any] | None = None,
        point: PointRecord | None = None,
        owner: str | None = None,
        visibility: Visibility = "private",
    ) -> None:
        """Store an experiment with its dataset and its pending runs, all or nothing.

        Runs of a point of a batch join the experiment that other points have made, and
        are left as they are if they are there.
        """
        now = datetime.now(UTC)
        planned = len(task.dataset) * task.epochs
        experiment = {
            "id": experiment_id,
            "name": clean(name),
            "identity": identity,
            "dataset": task.dataset.fingerprint,
            "task": task.model_dump(mode="json", exclude={"dataset"}),
            "tags": dict(tags),
            "provenance": dict(provenance),
            "created_at": now,
            "owner": owner,
            "visibility": visibility,
        }
        first = point.position * MOST_RUNS if point else 0
        more = {
            "origin": dict(origin) if origin else None,
            "batch_id": point.batch_id if point else None,
            "point": point.key if point else None,
        }
        rows = [
            run_row(spec, n, planned, now, **more) for n, spec in enumerate(runs, first)
        ]

        def write(connection: Connection) -> None:
            datasets.add(connection, task.dataset)
            add_missing(connection, EXPERIMENTS, [experiment])
            add_missing(connection, RUNS, rows)

        self.recorder.call(write).result()

    def set_visibility(self, experiment_id: str, visibility: Visibility) -> None:
        """Say who sees an experiment besides its owner."""
        same = EXPERIMENTS.c.id == experiment_id
        statement = update(EXPERIMENTS).where(same).values(visibility=visibility)
        self.recorder.write(lambda c: c.execute(statement))

    def find_experiment(
        self, identity: str, owner: str | None = None
    ) -> ExperimentRecord | None:
        """An owner's newest experiment that asked the same of the same, if any."""
        return self._newest(EXPERIMENTS.c.identity == identity, owner)

    def find_experiment_named(
        self, name: str, owner: str | None = None
    ) -> ExperimentRecord | None:
        """An owner's newest experiment of that name, if there is one."""
        return self._newest(EXPERIMENTS.c.name == name, owner)

    def get_experiment(self, which: str) -> ExperimentRecord:
        """An experiment by its id or the beginning of it; raises NotFoundError."""
        found = self.read(
            select(EXPERIMENTS).where(
                EXPERIMENTS.c.id.startswith(clean(which) or "", autoescape=True)
            )
        )
        return experiment_of(only_one(found, "experiment", which))

    def get_run(self, which: str) -> RunRecord:
        """A run by its id or the beginning of it; raises NotFoundError."""
        found = self._runs(RUNS.c.id.startswith(clean(which) or "", autoescape=True))
        return only_one(found, "run", which)

    def runs_of(self, experiment_id: str) -> list[RunRecord]:
        """The runs of an experiment, in their order."""
        runs = self._runs(RUNS.c.experiment_id == experiment_id)
        return sorted(runs, key=lambda run: run.position)

    def runs_of_all(self, experiment_ids: Sequence[str]) -> dict[str, list[RunRecord]]:
        """The runs of several experiments, each in their order."""
        found: dict[str, list[RunRecord]] = {one: [] for one in experiment_ids}
        runs = self._runs(RUNS.c.experiment_id.in_(list(experiment_ids)))
        for run in sorted(runs, key=lambda run: run.position):
            found[run.experiment_id].append(run)
        return found

    def runs_of_batch(self, batch_id: str) -> list[RunRecord]:
        """The runs of a batch, point after point."""
        runs = self._runs(RUNS.c.batch_id == batch_id)
        return sorted(runs, key=lambda run: (run.position, run.created_at))

    def runs_matching(self, which: str) -> list[RunRecord]:
        """The runs of an experiment, or the one run, of that id or beginning.

        Raises NotFoundError if nothing, or more than one thing, begins so.
        """
        try:
            return self.runs_of(self.get_experiment(which).id)
        except NotFoundError:
            return [self.get_run(which)]

    def list_runs(self, limit: int | None = None) -> list[RunRecord]:
        """All runs, newest first."""
        runs = sorted(self._runs(), key=lambda r: (r.created_at, r.position))
        return runs[::-1][:limit]

    def load_task(self, experiment_id: str) -> Task:
        """The task of an experiment, with its samples, as it was asked."""
        record = self.get_experiment(experiment_id)
        dataset = self.load_dataset(record.dataset)
        return Task.model_validate({**record.task, "dataset": dataset})

    def load_dataset(self, fingerprint: str) -> Dataset:
        """A dataset with its samples; raises NotFoundError."""
        with self._database.read() as connection:
            return datasets.load(connection, fingerprint)

    def get_sample(self, experiment_id: str, sample_id: str) -> Sample:
        """A sample of an experiment's dataset; raises NotFoundError."""
        record = self.get_experiment(experiment_id)
        with self._database.read() as connection:
            return datasets.load_sample(connection, record.dataset, sample_id)

    def get_dataset(self, fingerprint: str) -> DatasetRecord:
        """A dataset without its samples; raises NotFoundError."""
        with self._database.read() as connection:
            return datasets.describe(connection, fingerprint)

    def finished_keys(
        self, run_id: str, *, retry: Literal["transient", "failed"]
    ) -> set[tuple[str, int]]:
        """The (sample id, epoch) pairs that are not to be sent again.

        `transient` sends those again whose error may pass; `failed` all errors.
        """
        statement = select(RESULTS.c.sample_id, RESULTS.c.epoch).where(
            RESULTS.c.run_id == run_id
        )
        if retry == "failed":
            statement = statement.where(RESULTS.c.error_type.is_(None))
        else:
            statement = statement.where(RESULTS.c.error_transient.is_(False))
        return {(row.sample_id, row.epoch) for row in self.read(statement)}

    def unanswered(self, run: RunRecord) -> int:
        """How many samples of a run have no row, or an error that may have passed."""
        return run.planned - len(self.finished_keys(run.id, retry="transient"))

    def result_rows(self, run_id: str) -> Sequence[Row[Any]]:
        """The rows of a run's results, with all their columns."""
        return self.read(select(RESULTS).where(RESULTS.c.run_id == run_id))

    def spent(self, run_ids: Sequence[str]) -> Sequence[str]:
        """The known costs of the runs' results, as exact text."""
        statement = select(RESULTS.c.cost_usd).where(
            RESULTS.c.run_id.in_(list(run_ids)), RESULTS.c.cost_usd.is_not(None)
        )
        return [row.cost_usd for row in self.read(statement)]

    def begin_run(self, run_id: str) -> None:
        """Take the run's lease and mark it as running; raises StoreError if held.

        When it ended before stays known, also if its process could not say so.
        """
        ended = self.get_run(run_id).finished_at
        self.recorder.lease(run_id)
        now = datetime.now(UTC)
        self._set_run(
            run_id,
            status=RunStatus.RUNNING.value,
            reason=None,
            started_at=func.coalesce(RUNS.c.started_at, now),
            finished_at=ended,
        )

    def end_run(self, run_id: str, status: RunStatus, reason: str | None) -> None:
        """Store how a run ended and give its lease back."""
        self._set_run(
            run_id,
            status=status.value,
            reason=reason,
            finished_at=datetime.now(UTC),
        )
        self.recorder.release(run_id)

    def ask_to_stop(self, run_ids: Sequence[str]) -> None:
        """Ask the process that executes the runs to stop them, whichever it is."""
        self.recorder.write(lambda c: leases.ask_to_stop(c, run_ids))

    def is_asked_to_stop(self, run_ids: Sequence[str]) -> bool:
        """Whether somebody asked to stop one of the runs that are being executed."""
        asked = RUNS.c.id.in_(list(run_ids)), RUNS.c.stop_asked.is_(True)
        return bool(self.read(select(RUNS.c.id).where(*asked).limit(1)))

    def owner_of(self, run_ids: Sequence[str]) -> str | None:
        """Which other process executes one of the runs, in words; None if none does."""
        with self._database.read() as connection:
            found = (leases.holder(connection, run_id) for run_id in run_ids)
            return next(filter(None, found), None)

    def answers(
        self, run_id: str, *, without_scores: Sequence[str] | None = None
    ) -> Iterator[tuple[str, int, Completion]]:
        """The stored answers of a run, a page at a time, to be scored again.

        With `without_scores` only those that lack a score of one of these names.
        """
        last = 0
        while page := self.read(answers_after(run_id, last, without_scores)):
            last = page[-1].id
            for row in page:
                yield row.sample_id, row.epoch, completion_of(row)

    def known_scores(self, run_id: str, scorer: str) -> dict[str, float | None]:
        """Each sample's score in a run of one epoch; None where there can be none.

        That is a sample whose call failed, or whose scorer did. Samples that are still
        to be scored are left out.
        """
        failed = select(RESULTS.c.sample_id).where(
            RESULTS.c.run_id == run_id, RESULTS.c.error_type.is_not(None)
        )
        scored = select(SCORES.c.sample_id, SCORES.c.value).where(
            SCORES.c.run_id == run_id, SCORES.c.scorer == scorer
        )
        found: dict[str, float | None] = {row[0]: None for row in self.read(failed)}
        return found | {row.sample_id: row.value for row in self.read(scored)}

    def scorers_of(self, run_ids: Sequence[str]) -> list[str]:
        """The scorers that scored something of these runs, sorted."""
        statement = select(SCORES.c.scorer).where(SCORES.c.run_id.in_(list(run_ids)))
        return sorted(row.scorer for row in self.read(statement.distinct()))

    def system_fingerprints(self, run_id: str) -> list[str]:
        """The back ends that a run's answers say they came from, sorted."""
        told = RESULTS.c.system_fingerprint
        statement = select(told).where(RESULTS.c.run_id == run_id, told.is_not(None))
        return sorted(row[0] for row in self.read(statement.distinct()))

    def _newest(self, condition: Any, owner: str | None) -> ExperimentRecord | None:
        owned = EXPERIMENTS.c.owner == owner  # None: IS NULL
        statement = select(EXPERIMENTS).where(condition, owned)
        found = self.read(statement.order_by(EXPERIMENTS.c.created_at.desc()).limit(1))
        return experiment_of(found[0]) if found else None

    def _runs(self, *conditions: Any) -> list[RunRecord]:
        failed = func.sum(case((RESULTS.c.error_type.is_not(None), 1), else_=0))
        counts = (
            select(RESULTS.c.run_id, func.count().label("rows"), failed.label("failed"))
            .group_by(RESULTS.c.run_id)
            .subquery()
        )
        statement = (
            select(
                RUNS,
                leases.SILENT,
                EXPERIMENTS.c.name,
                counts.c.rows,
                counts.c.failed,
            )
            .join(EXPERIMENTS, EXPERIMENTS.c.id == RUNS.c.experiment_id)
            .outerjoin(counts, counts.c.run_id == RUNS.c.id)
            .where(*conditions)
        )
        return [run_of(row) for row in self.read(statement)]

    def _set_run(self, run_id: str, **values: Any) -> None:
        statement = update(RUNS).where(RUNS.c.id == run_id).values(**values)
        self.recorder.call(lambda c: c.execute(statement)).result()

    def _take_in_spool(self) -> None:
        spool = Spool(self._database.path, str(self._database))
        rows = list(spool.rows())
        if rows and not self._database.read_only:
            self.recorder.call(lambda c: write_rows(c, rows)).result()
            spool.forget()
