"""Who sees and who changes an experiment: one rule, in Python and in SQL."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import ForbiddenError, NotFoundError
from aistrale_lab.store.reading import EXPERIMENTS
from aistrale_lab.store.records import ExperimentRecord
from aistrale_lab.store.results import Store
from aistrale_lab.store.visibility import Viewer
from tests.store.conftest import EXPERIMENT

ANN = Viewer(user_id="ann", admin=False)
ROOT = Viewer(user_id="root", admin=True)

OWNED: dict[str, dict[str, Any]] = {
    "annprivate": {"owner": "ann", "visibility": "private"},
    "bobprivate": {"owner": "bob", "visibility": "private"},
    "bobteam": {"owner": "bob", "visibility": "team"},
}


@pytest.fixture
def owned(store: Store, task: Task) -> Store:
    """A store with experiments of several owners beside the one that has none."""
    row = {
        **store.get_experiment(EXPERIMENT).model_dump(),
        "created_at": datetime.now(UTC),
    }
    rows = [{**row, "id": name, **whose} for name, whose in OWNED.items()]
    store.recorder.call(lambda c: c.execute(insert(EXPERIMENTS), rows)).result()
    return store


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        (ANN, {EXPERIMENT, "annprivate", "bobteam"}),
        (ROOT, {EXPERIMENT, *OWNED}),
    ],
)
def test_the_same_is_seen_in_a_list_and_one_by_one(
    owned: Store, viewer: Viewer, seen: set[str]
) -> None:
    listed = owned.read(select(EXPERIMENTS.c.id).where(viewer.sees()))
    one_by_one = {
        name
        for name in (EXPERIMENT, *OWNED)
        if viewer.may_see(owned.get_experiment(name))
    }

    assert {row.id for row in listed} == seen
    assert one_by_one == seen


def test_what_is_not_seen_does_not_exist_and_what_is_anothers_is_not_changed(
    owned: Store,
) -> None:
    ANN.check_changes(owned.get_experiment("annprivate"))
    with pytest.raises(NotFoundError, match="no experiment 'bobprivate'"):
        ANN.check_changes(owned.get_experiment("bobprivate"))
    with pytest.raises(ForbiddenError, match="somebody else's"):
        ANN.check_changes(owned.get_experiment("bobteam"))
    with pytest.raises(ForbiddenError):
        ANN.check_changes(owned.get_experiment(EXPERIMENT))
    ROOT.check_changes(owned.get_experiment("bobprivate"))


def test_an_experiment_of_the_store_itself_has_no_owner(store: Store) -> None:
    record: ExperimentRecord = store.get_experiment(EXPERIMENT)

    assert (record.owner, record.visibility) == (None, "private")
