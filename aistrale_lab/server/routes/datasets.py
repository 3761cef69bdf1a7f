"""Datasets of the team."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from aistrale_lab.domain import tasks
from aistrale_lab.errors import NotFoundError
from aistrale_lab.server.caller import caller_of
from aistrale_lab.server.doors import USER, GuardedRoute, door
from aistrale_lab.server.errors import describe_errors
from aistrale_lab.server.shapes import Page
from aistrale_lab.server.tasks import MAX_BODY, AskedDataset
from aistrale_lab.server.told import Dataset, Limit
from aistrale_lab.store import datasets
from aistrale_lab.store.listing import is_seen, page_of_datasets

router = APIRouter(
    prefix="/api/v1/datasets", route_class=GuardedRoute, tags=["datasets"]
)

PRINT = "^[0-9a-f]{32}$"

Fingerprint = Annotated[str, Path(pattern=PRINT)]


class WholeDataset(Dataset):
    """A dataset with its samples."""

    content: list[dict[str, Any]]


@router.get("")
@door(USER("read"))
def list_datasets(
    request: Request,
    cursor: Annotated[str | None, Query(pattern=PRINT)] = None,
    limit: Limit = 50,
) -> Page[Dataset]:
    """Those of experiments that the caller sees, and those that none asks yet."""
    found, more = page_of_datasets(
        request.app.state.bench.store,
        caller_of(request).viewer,
        cursor=cursor,
        limit=limit,
    )
    return Page(items=[Dataset.of(record) for record in found], next=more)


@router.post("", status_code=201, responses=describe_errors(413))
@door(USER("write", max_body=MAX_BODY))
def add_dataset(asked: AskedDataset, request: Request) -> Dataset:
    """Store a dataset, for all to ask; one of the same samples is stored once."""
    store = request.app.state.bench.store
    made = tasks.Dataset(name=asked.name, samples=asked.samples)
    store.recorder.write(lambda c: datasets.add(c, made))
    return Dataset(fingerprint=made.fingerprint, name=made.name, samples=len(made))


@router.get("/{fingerprint}", responses=describe_errors(404))
@door(USER("read"))
def get_dataset(fingerprint: Fingerprint, request: Request) -> WholeDataset:
    """A dataset with its samples."""
    store = request.app.state.bench.store
    if not is_seen(store, caller_of(request).viewer, fingerprint):
        raise NotFoundError(f"there is no dataset {fingerprint!r}")
    found = store.load_dataset(fingerprint)
    return WholeDataset(
        fingerprint=fingerprint,
        name=found.name,
        samples=len(found),
        content=[sample.content() for sample in found],
    )
