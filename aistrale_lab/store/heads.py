"""What comes before an experiment's results: its dataset, its task and its runs."""

from dataclasses import dataclass, field
from typing import Any

import pydantic
from sqlalchemy import Connection, Row, insert, select

from aistrale_lab.domain.tasks import Dataset, Sample, Task
from aistrale_lab.errors import ValidationError
from aistrale_lab.store import datasets
from aistrale_lab.store.charges import without_payer
from aistrale_lab.store.merging import Merged, merge_run
from aistrale_lab.store.reading import EXPERIMENTS, RUNS, experiment_of
from aistrale_lab.store.results import Store
from aistrale_lab.store.visibility import Viewer


@dataclass(slots=True)
class Head:
    """The lines before the first result, as far as they came."""

    sender: Viewer | None = None
    """A user of a server, who is not trusted; None: whoever has the database."""
    dataset: Any = None
    samples: list[Sample] = field(default_factory=list)
    experiment: Any = None
    runs: list[Any] = field(default_factory=list)
    run_ids: set[str] = field(default_factory=set)
    sample_ids: set[str] = field(default_factory=set)

    def take(self, kind: str, content: Any) -> None:
        """Take one of these lines."""
        match kind:
            case "dataset":
                self.dataset = content
            case "sample":
                self.samples.append(content)
            case "experiment":
                self.experiment = content
            case "run":
                self.runs.append(content)
                self.run_ids.add(content.id)

    def check_result(self, line: Any, number: int) -> None:
        """Raise ValidationError for a result of another experiment."""
        if line.run_id not in self.run_ids:
            raise ValidationError(f"line {number}: no run {line.run_id!r} came before")
        if line.sample_id not in self.sample_ids:
            raise ValidationError(
                f"line {number}: no sample {line.sample_id!r} is asked"
            )


def put_head(store: Store, head: Head) -> Merged:
    """Put dataset, experiment and runs in, as far as they are not there.

    A sender's experiment becomes their own; a path of their machine, and who pays for a
    run, is forgotten.
    Raises ValidationError if something else has one of the ids, NotFoundError or
    ForbiddenError if the sender may not change what is there.
    """
    if head.experiment is None:
        raise ValidationError("no experiment came before its results")
    dataset = _dataset_of(store, head)
    head.sample_ids = {sample.id for sample in dataset}
    try:
        Task.model_validate({**head.experiment.task, "dataset": dataset})
    except pydantic.ValidationError:
        raise ValidationError("the experiment's task is none") from None
    return store.recorder.call(lambda c: _put(c, head, dataset)).result()


def _dataset_of(store: Store, head: Head) -> Dataset:
    """The dataset that came, or the one that is there already."""
    if head.dataset is None:
        return store.load_dataset(head.experiment.dataset)
    fingerprint = head.dataset.fingerprint
    if fingerprint != head.experiment.dataset or head.dataset.samples != len(
        head.samples
    ):
        raise ValidationError("the samples sent are not those that were asked")
    made = Dataset(
        name=head.dataset.name,
        samples=tuple(head.samples),
        source=None if head.sender else head.dataset.source,
        fingerprint="" if head.sender else fingerprint,
    )
    if made.fingerprint != fingerprint:
        raise ValidationError(
            f"the samples are not those of the fingerprint {fingerprint}"
        )
    return made


def _put(connection: Connection, head: Head, dataset: Dataset) -> Merged:
    known = connection.execute(
        select(datasets.DATASETS.c.name).where(
            datasets.DATASETS.c.fingerprint == dataset.fingerprint
        )
    ).first()
    datasets.add(connection, dataset)
    same = EXPERIMENTS.c.id == head.experiment.id
    found = connection.execute(select(EXPERIMENTS).where(same)).first()
    if found is None:
        row = head.experiment.model_dump()
        if head.sender is not None:
            row |= {"owner": head.sender.user_id, "visibility": "private"}
        connection.execute(insert(EXPERIMENTS).values(**row))
    else:
        _check_same(found, head)
    _check_runs(connection, head)
    runs = sum(merge_run(connection, _run_row(run, head)) for run in head.runs)
    return Merged(datasets=known is None, experiments=found is None, runs=runs)


def _run_row(run: Any, head: Head) -> dict[str, Any]:
    """A run as it is put in: who pays for it is not the sender's to say."""
    row: dict[str, Any] = run.model_dump()
    if head.sender is not None:
        row["origin"] = without_payer(row["origin"])
    return row


def _check_same(found: Row[Any], head: Head) -> None:
    came = head.experiment
    if head.sender is not None:
        head.sender.check_changes(experiment_of(found))
    if (found.identity, found.dataset) != (came.identity, came.dataset):
        raise ValidationError(f"another experiment has the id {came.id!r} here")


def _check_runs(connection: Connection, head: Head) -> None:
    """Every run is one of this experiment, here as there."""
    ids = [run.id for run in head.runs]
    mine = head.experiment.id
    known = connection.execute(
        select(RUNS.c.id).where(RUNS.c.id.in_(ids), RUNS.c.experiment_id != mine)
    ).all()
    strange = {run.id for run in head.runs if run.experiment_id != mine}
    strange |= {row.id for row in known}
    if strange:
        raise ValidationError(
            f"of another experiment than {mine!r}: run {', '.join(sorted(strange))}"
        )
