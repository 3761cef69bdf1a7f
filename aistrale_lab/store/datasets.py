"""Prompt sets in the store: samples by content, so that each is stored once."""

import json
from typing import Any

from sqlalchemy import Connection, select

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Dataset, Sample
from aistrale_lab.domain.values import fingerprint
from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.records import DatasetRecord
from aistrale_lab.store.tables import DatasetRow, DatasetSampleRow, SampleRow
from aistrale_lab.store.writing import Row, add_missing, clean

DATASETS = DatasetRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
MEMBERS = DatasetSampleRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SAMPLES = SampleRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


def add(connection: Connection, dataset: Dataset) -> None:
    """Store a dataset, unless one of the same content is there."""
    known = select(DATASETS.c.fingerprint).where(
        DATASETS.c.fingerprint == dataset.fingerprint
    )
    if connection.execute(known).first():
        return
    rows = [_sample_row(sample) for sample in dataset]
    head = {
        "fingerprint": dataset.fingerprint,
        "name": clean(dataset.name),
        "samples": len(dataset),
        "source": dataset.source,
    }
    add_missing(connection, DATASETS, [head])
    add_missing(connection, SAMPLES, sorted(rows, key=lambda row: str(row["key"])))
    members = [
        {
            "dataset": dataset.fingerprint,
            "position": position,
            "sample_id": sample.id,
            "sample_key": row["key"],
        }
        for position, (sample, row) in enumerate(zip(dataset, rows, strict=True))
    ]
    add_missing(connection, MEMBERS, members)


def load(connection: Connection, dataset: str) -> Dataset:
    """A dataset by its fingerprint; raises NotFoundError."""
    head = describe(connection, dataset)
    rows = connection.execute(
        select(MEMBERS.c.sample_id, SAMPLES)
        .join(SAMPLES, SAMPLES.c.key == MEMBERS.c.sample_key)
        .where(MEMBERS.c.dataset == dataset)
        .order_by(MEMBERS.c.position)
    )
    return Dataset(
        name=head.name,
        samples=tuple(_sample(row) for row in rows),
        fingerprint=head.fingerprint,
        source=head.source,
    )


def load_sample(connection: Connection, dataset: str, sample_id: str) -> Sample:
    """One sample of a dataset; raises NotFoundError."""
    row = connection.execute(
        select(MEMBERS.c.sample_id, SAMPLES)
        .join(SAMPLES, SAMPLES.c.key == MEMBERS.c.sample_key)
        .where(MEMBERS.c.dataset == dataset, MEMBERS.c.sample_id == sample_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"the dataset has no sample {sample_id!r}")
    return _sample(row)


def describe(connection: Connection, dataset: str) -> DatasetRecord:
    """A dataset without its samples; raises NotFoundError."""
    row = connection.execute(
        select(DATASETS).where(DATASETS.c.fingerprint == dataset)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no dataset {dataset!r}")
    return DatasetRecord(**row._mapping)


def _sample_row(sample: Sample) -> Row:
    content = sample.content()
    del content["id"]
    conversation = not isinstance(sample.input, str)
    text = json.dumps(content["input"]) if conversation else content["input"]
    return {
        "key": fingerprint(content),
        "input": clean(text),
        "conversation": conversation,
        "target": clean(sample.target),
        "group_name": clean(sample.group),
        "meta": content["metadata"],
    }


def _sample(row: Any) -> Sample:
    said: Any = row.input
    if row.conversation:
        said = tuple(Message(**turn) for turn in json.loads(row.input))
    return Sample(
        id=row.sample_id,
        input=said,
        target=row.target,
        metadata=row.meta,
        group=row.group_name,
    )
