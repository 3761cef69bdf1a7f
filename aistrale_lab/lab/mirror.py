"""What a bench over a server has read of it: a store of its own, gone with the bench."""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select

from aistrale_lab.domain.runs import RunStatus
from aistrale_lab.errors import LabError, NotFoundError
from aistrale_lab.lab.team import Team
from aistrale_lab.store.merging import Merged
from aistrale_lab.store.receiving import Merger
from aistrale_lab.store.reading import RUNS
from aistrale_lab.store.results import Store
from aistrale_lab.store.writing import RESULTS, SCORES


class ServerPlace:
    """The experiments of a server, as `push` and `pull` see them."""

    def __init__(self, team: Team) -> None:
        self.team = team

    def find(self, which: str) -> tuple[str, str]:
        """Id and name of an experiment, also by a run's id; raises NotFoundError."""
        found = self.team.get("experiments", begins=which, limit=2)["items"]
        if not found:
            raise NotFoundError(f"there is no experiment {which!r} on {self.team.url}")
        if len(found) > 1:
            raise NotFoundError(f"experiment {which!r} is ambiguous on {self.team.url}")
        return found[0]["id"], found[0]["name"]

    def list(self) -> list[str]:
        """The ids of all experiments that one sees, oldest first."""
        return [one["id"] for one in self.pages()][::-1]

    def pages(self) -> Iterator[Any]:
        """All experiments that one sees, newest first."""
        cursor = None
        while True:
            page = self.team.get("experiments", cursor=cursor, limit=100)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def lines(self, experiment_id: str) -> Iterator[str]:
        """An experiment as lines, as they come."""
        return self.team.lines(f"exchange/experiments/{experiment_id}")

    def merge(self, lines: Any) -> Merged:
        """Put an experiment's lines in; it becomes one's own."""
        return Merged.model_validate(self.team.send("exchange", lines))


class Mirror:
    """Experiments of a server in a file that ends with it. Safe from any thread."""

    def __init__(self, team: Team) -> None:
        self.place = ServerPlace(team)
        self._team = team
        folder = Path(tempfile.mkdtemp(prefix="aistrale-"))
        self._forget = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.store = Store.open(f"sqlite:///{folder}/mirror.db")
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove the file; the store is closed by then."""
        self._team.close()
        self._forget()

    def know(self, which: str) -> str:
        """Have an experiment here, by its or a run's id or the beginning of one.

        Returns the experiment's id. Raises NotFoundError.
        """
        try:
            found = self.store.runs_matching(which)
            return found[0].experiment_id
        except (NotFoundError, IndexError):
            return self.refresh(self.place.find(which)[0])

    def refresh(self, experiment_id: str) -> str:
        """Read what is new of an experiment; returns its id."""
        with self._lock:
            after = self._next.get(experiment_id)
            end = self._read(experiment_id, after)
            if after and not self._is_whole(experiment_id, end):
                end = self._read(experiment_id, 0)
            self._next[experiment_id] = end.next
        return experiment_id

    def _read(self, experiment_id: str, after: int | None) -> Any:
        merger = Merger(self.store)
        path = f"exchange/experiments/{experiment_id}"
        merger.feed(self._team.lines(path, after=after))
        merger.finish()
        return merger.end

    def _is_whole(self, experiment_id: str, end: Any) -> bool:
        """Whether nothing was missed; while it is executed nobody can say so."""
        status = [run.status for run in self.store.runs_of(experiment_id)]
        if RunStatus.RUNNING in status:
            return True
        runs = select(RUNS.c.id).where(RUNS.c.experiment_id == experiment_id)
        results, scores = (
            self.store.read(
                select(func.count()).where(table.c.run_id.in_(runs.scalar_subquery()))
            )[0][0]
            for table in (RESULTS, SCORES)
        )
        return (results, scores) == (end.all_results, end.all_scores)


def open_team(url: str, token: SecretStr | None) -> tuple[Team, Mirror]:
    """A server and its mirror, once the server knows the token."""
    team = Team(url, token)
    try:
        team.get("users/me")
        return team, Mirror(team)
    except LabError:
        team.close()
        raise
