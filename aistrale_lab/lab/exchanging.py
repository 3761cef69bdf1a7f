"""Experiments carried from one store to another, whichever database each of them is."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from pydantic import SecretStr

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ConfigError
from aistrale_lab.lab.mirror import ServerPlace
from aistrale_lab.lab.team import Team, check_server_url, is_server
from aistrale_lab.store.database import parse_url
from aistrale_lab.store.exchange import export_lines, list_experiments
from aistrale_lab.store.merging import Merged
from aistrale_lab.store.receiving import merge
from aistrale_lab.store.results import Store


class Carried(Value):
    """An experiment that was carried, and what was new where it came to."""

    experiment_id: str
    name: str
    merged: Merged


class Place(Protocol):
    """Where experiments are: a store of ours, or a team's server."""

    def find(self, which: str) -> tuple[str, str]:
        """Id and name of an experiment by its id or the beginning of it.

        Raises NotFoundError.
        """

    def list(self) -> list[str]:
        """The ids of all experiments, oldest first."""

    def lines(self, experiment_id: str) -> Iterator[str | bytes]:
        """An experiment as lines."""

    def merge(self, lines: Iterable[str | bytes]) -> Merged:
        """Put an experiment's lines in."""


class StorePlace:
    """A store that this process has opened."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, which: str) -> tuple[str, str]:
        """Id and name of an experiment; raises NotFoundError."""
        record = self._store.get_experiment(which)
        return record.id, record.name

    def list(self) -> list[str]:
        """The ids of all experiments, oldest first."""
        return list_experiments(self._store)

    def lines(self, experiment_id: str) -> Iterator[str | bytes]:
        """An experiment as lines, read as they are asked for."""
        return export_lines(self._store, experiment_id)

    def merge(self, lines: Iterable[str | bytes]) -> Merged:
        """Put an experiment's lines in; a second time nothing is put in."""
        return merge(self._store, lines)


@contextmanager
def other_place(
    url: str, *, here: Collection[str], token: SecretStr | None
) -> Iterator[Place]:
    """The place at a URL, closed at the end.

    `here` are the URLs of what is open already, with any password: raises ConfigError
    if it is one of them.
    """
    if is_server(url):
        with closing(Team(url, token)) as team:
            _check_other(team.url, here)
            yield ServerPlace(team)
    else:
        with closing(Store.open(url)) as store:
            _check_other(store.full_url, here)
            yield StorePlace(store)


def _check_other(there: str, here: Collection[str]) -> None:
    if there in here:
        raise ConfigError(f"{shown(there)} is the one that is open: name another")


def shown(url: str) -> str:
    """The URL of a place, without any password."""
    if is_server(url):
        return check_server_url(url)
    return parse_url(url).render_as_string(hide_password=True)


def carry(source: Place, target: Place, which: Iterable[str]) -> list[Carried]:
    """Carry experiments, or all of them; nothing is carried if one is not found."""
    ids = list(which) or source.list()
    found = dict(source.find(one) for one in ids)
    return [
        Carried(
            experiment_id=experiment_id,
            name=name,
            merged=target.merge(source.lines(experiment_id)),
        )
        for experiment_id, name in found.items()
    ]
