"""Batches in the store: which points there are, and how far each of them came."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select, update

from aistrale_lab.errors import NotFoundError
from aistrale_lab.store.leases import BATCHES
from aistrale_lab.store.reading import only_one, utc
from aistrale_lab.store.records import (
    BatchRecord,
    PointRecord,
    PointStatus,
    RunRecord,
    new_id,
)
from aistrale_lab.store.results import Store
from aistrale_lab.store.tables import PointRow
from aistrale_lab.store.tallies import Tally, add_tallies, count_runs

POINTS: Table = PointRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


class Batches:
    """The batches of a store; writes are durable when a method returns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(
        self, identity: str, *, name: str, notebook: str, fresh: bool
    ) -> BatchRecord:
        """The newest batch of that identity, or a new one; its lease is taken.

        Raises StoreError if another process drives it.
        """
        found = None if fresh else self._newest(identity)
        batch = found or BatchRecord(
            id=new_id(),
            identity=identity,
            name=name,
            notebook=notebook,
            created_at=datetime.now(UTC),
        )
        if found is None:
            row = insert(BATCHES).values(**batch.model_dump())
            self._store.recorder.call(lambda c: c.execute(row)).result()
        self._store.recorder.lease(batch.id, BATCHES)
        return batch

    def close(self, batch_id: str) -> None:
        """Give the lease of a batch back."""
        self._store.recorder.release(batch_id, BATCHES)

    def put_points(self, points: Sequence[PointRecord]) -> dict[str, str]:
        """Store points; of one that is there, the state stays if its source does.

        Returns the new names of points that had others, by the old ones.
        """

        def write(connection: Connection) -> dict[str, str]:
            renamed = {}
            for point in points:
                found = connection.execute(select(POINTS).where(_is(point))).first()
                if found is None:
                    connection.execute(insert(POINTS).values(**_columns(point)))
                    continue
                values = _columns(point)
                if found.source == point.source:
                    values = {name: values[name] for name in ("position", "varied")}
                values["name"] = point.name
                connection.execute(update(POINTS).where(_is(point)).values(**values))
                if found.name != point.name:
                    renamed[found.name] = point.name
            return renamed

        return self._store.recorder.call(write).result()

    def points(self, batch_id: str) -> list[PointRecord]:
        """The points of a batch, in their order."""
        statement = select(POINTS).where(POINTS.c.batch_id == batch_id)
        rows = self._store.read(statement.order_by(POINTS.c.position, POINTS.c.name))
        return [_point_of(row) for row in rows]

    def get_point(self, batch_id: str, key: str) -> PointRecord:
        """A point by its key; raises NotFoundError."""
        for point in self.points(batch_id):
            if point.key == key:
                return point
        raise NotFoundError(f"batch {batch_id} has no point {key!r} in this store")

    def begin(self, point: PointRecord) -> None:
        """The notebook of a point is being executed from now on."""
        self._set(
            point,
            status=PointStatus.RUNNING.value,
            reason=None,
            started_at=datetime.now(UTC),
            finished_at=None,
        )

    def end(self, point: PointRecord, status: PointStatus, reason: str | None) -> None:
        """How the notebook of a point ended."""
        ended = datetime.now(UTC)
        self._set(point, status=status.value, reason=reason, finished_at=ended)

    def runs(self, batch_id: str) -> dict[str, list[RunRecord]]:
        """The runs of each point of a batch that has any."""
        found: dict[str, list[RunRecord]] = {}
        for run in self._store.runs_of_batch(batch_id):
            found.setdefault(str(run.point), []).append(run)
        return found

    def unanswered(self, run: RunRecord) -> int:
        """How many samples of a run a second call would send."""
        return self._store.unanswered(run)

    def tallies(self, batch_id: str) -> dict[str, Tally]:
        """What is stored of each point that has runs, over all of them."""
        runs = self.runs(batch_id)
        counted = count_runs(self._store, [r.id for own in runs.values() for r in own])
        return {
            key: add_tallies(counted[run.id] for run in own)
            for key, own in runs.items()
        }

    def planned(self, batch_id: str) -> dict[str, int]:
        """How many samples x epochs each point with runs was planned to have."""
        runs = self.runs(batch_id)
        return {key: sum(run.planned for run in own) for key, own in runs.items()}

    def get(self, which: str) -> BatchRecord:
        """A batch by its id or the beginning of it; raises NotFoundError."""
        begins = BATCHES.c.id.startswith(which, autoescape=True)
        found = self._store.read(select(BATCHES).where(begins))
        return _batch_of(only_one(found, "batch", which))

    def _newest(self, identity: str) -> BatchRecord | None:
        statement = select(BATCHES).where(BATCHES.c.identity == identity)
        newest = statement.order_by(BATCHES.c.created_at.desc()).limit(1)
        found = self._store.read(newest)
        return _batch_of(found[0]) if found else None

    def _set(self, point: PointRecord, **values: Any) -> None:
        statement = update(POINTS).where(_is(point)).values(**values)
        self._store.recorder.call(lambda c: c.execute(statement)).result()


def _is(point: PointRecord) -> Any:
    return (POINTS.c.batch_id == point.batch_id) & (POINTS.c.key == point.key)


def _columns(point: PointRecord) -> dict[str, Any]:
    return {**point.model_dump(), "status": point.status.value}


def _batch_of(row: Row[Any]) -> BatchRecord:
    return BatchRecord(
        id=row.id,
        identity=row.identity,
        name=row.name,
        notebook=row.notebook,
        created_at=utc(row.created_at),
    )


def _point_of(row: Row[Any]) -> PointRecord:
    times = {
        name: getattr(row, name) and utc(getattr(row, name))
        for name in ("started_at", "finished_at")
    }
    return PointRecord(**{**row._mapping, **times})
