"""The groups of a dataset's samples, as many as a person can choose from."""

from typing import Any

from sqlalchemy import Select, func, select

from aistrale_lab.store.datasets import MEMBERS, SAMPLES
from aistrale_lab.store.results import Store


def list_groups(
    store: Store, dataset: str, most: int = 200, *, search: str = ""
) -> list[str]:
    """The first groups of a dataset's samples, sorted; `search` is a part of them."""
    groups = _groups(dataset, search).order_by(SAMPLES.c.group_name).limit(most)
    return [row[0] for row in store.read(groups)]


def count_groups(store: Store, dataset: str, *, search: str = "") -> int:
    """How many groups a dataset's samples have; `search` is a part of them."""
    groups = _groups(dataset, search).subquery()
    return int(store.read(select(func.count()).select_from(groups))[0][0])


def _groups(dataset: str, search: str) -> Select[Any]:
    found = (
        select(SAMPLES.c.group_name)
        .join(MEMBERS, MEMBERS.c.sample_key == SAMPLES.c.key)
        .where(MEMBERS.c.dataset == dataset, SAMPLES.c.group_name.is_not(None))
        .distinct()
    )
    if search:
        found = found.where(SAMPLES.c.group_name.icontains(search, autoescape=True))
    return found
