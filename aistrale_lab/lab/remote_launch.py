"""Launching on a team's server: what `LocalLauncher` does here, asked of it over HTTP."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, NoReturn, TypeVar

from aistrale_lab.domain.tasks import ModelRef
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.errors import ConfigError
from aistrale_lab.lab.attaching import make_lane
from aistrale_lab.lab.exchanging import Place
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.following import Following
from aistrale_lab.lab.forecasting import Basis, Plan, plan_of
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.handles import Handles
from aistrale_lab.lab.launcher import Order
from aistrale_lab.lab.listing import ModelList
from aistrale_lab.lab.mirror import Mirror
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.resuming import SettingsOf, stored_settings
from aistrale_lab.lab.team import Team
from aistrale_lab.store.exchange import export_lines
from aistrale_lab.store.records import RunRecord
from aistrale_lab.terminal import note

T = TypeVar("T")


class RemoteLauncher:
    """Starts and resumes experiments on a server; what is read is read of the mirror."""

    def __init__(self, team: Team, mirror: Mirror, engine: EngineThread) -> None:
        self._team = team
        self._mirror = mirror
        self._store = mirror.store
        self._engine = engine
        self._handles = Handles()
        self._followed: list[Following] = []
        self.shared: Place = mirror.place
        self.url = team.url

    def close(self) -> None:
        """Follow no more; what the server executes goes on."""
        for following in self._followed:
            following.looks_on = True
        self._handles.close()

    def start(self, order: Order) -> RunHandle[Experiment]:
        """Have the server check, store and start it; see `Lab.start`."""
        body = _asked(order) | {
            "tags": dict(order.tags),
            "fresh": order.fresh,
            "visibility": order.visibility,
        }
        begun = self._team.post("experiments", body)
        if all(run["status"] == "completed" for run in begun["runs"]):
            note(f"experiment {begun['id']} is finished already; fresh=True pays again")
        return self._follow(begun)

    def resume(
        self,
        runs: Sequence[RunRecord],
        chosen: RunOptions,
        *,
        failed: bool,
        settings: SettingsOf = stored_settings,
    ) -> RunHandle[Experiment]:
        """Have the server send what is missing of runs of one experiment.

        What may be asked, the server says itself.
        """
        experiment_id = runs[0].experiment_id
        whole = len(runs) == len(self._store.runs_of(experiment_id))
        body = {
            "failed": failed,
            "options": _options(chosen),
            "run": None if whole else runs[0].id,
        }
        return self._follow(
            self._team.post(f"experiments/{experiment_id}/resume", body)
        )

    def attach(self, experiment_id: str) -> RunHandle[Experiment]:
        """The handle of an experiment, whoever started it."""
        handle = self._handles.find(experiment_id)
        if handle is not None:
            return handle
        found = self._team.get(f"experiments/{experiment_id}")
        return self._follow(found)

    def find(self, order: Order) -> Experiment | None:
        """The experiment that `start` would go on with, if there is one."""
        earlier = self._team.post("plans", _asked(order))["earlier"]
        if earlier is None:
            return None
        return Experiment(self._store, self._mirror.refresh(earlier))

    def forecast(self, order: Order, basis: Basis) -> Plan:
        """What a run would take on the server, and what it could show."""
        more = asdict(basis)
        if basis.pilot is not None:
            more["pilot"] = self._mirror.know(basis.pilot)
        return plan_of(self._team.post("plans", _asked(order) | more))

    def know(self, which: str) -> None:
        """Have an experiment here, by its or a run's id or the beginning of one."""
        self._mirror.know(which)

    def refresh(self, which: str) -> None:
        """The same, as it stands on the server now."""
        self._mirror.refresh(self._mirror.know(which))

    def list_runs(self, limit: int | None) -> list[RunRecord]:
        """All runs that one sees on the server, newest first."""
        found: list[RunRecord] = []
        for experiment in self._mirror.place.pages():
            runs = [RunRecord.model_validate(run) for run in experiment["runs"]]
            found += sorted(runs, key=lambda run: run.position, reverse=True)
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    def scored(self, experiment_id: str) -> None:
        """Bring scores that were made here to the server, if they are one's own to."""
        found = self._team.get(f"experiments/{experiment_id}")
        if found["mine"]:
            self.shared.merge(export_lines(self._store, experiment_id))
        else:
            note(f"{experiment_id} is another's: its new scores are kept only here")

    async def list_models(self) -> ModelList:
        """What the server's endpoints offer."""
        found = await asyncio.to_thread(self._team.get, "models")
        absent = "the server cannot list its models at the moment"
        return ModelList(
            models=tuple(one["id"] for one in found["items"]),
            missing=dict.fromkeys(found["missing"], absent),
        )

    async def start_embedded(self) -> str:
        """Refuse: the models in the box are the server's."""
        self._refuse("models in the box")

    def place(self, ref: ModelRef, chosen: RunOptions) -> NoReturn:
        """Refuse: no call is made from here."""
        self._refuse("prices of its own; `plan` asks the server what calls cost")

    def conduct(
        self,
        work: Coroutine[Any, Any, None],
        *,
        so_far: Callable[[], T],
        handle_id: str,
        lanes: Sequence[LaneProgress],
    ) -> RunHandle[T]:
        """Refuse: what is conducted here needs a store of its own."""
        work.close()
        self._refuse("batches, which need a store of their own")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"a bench over {self.url} has no {what}")

    def _follow(self, told: Any) -> RunHandle[Experiment]:
        experiment_id = self._mirror.refresh(told["id"])
        runs = self._store.runs_of(experiment_id)
        lanes = [make_lane(run) for run in runs]
        following = Following(
            self._team, self._mirror, experiment_id, lanes, told.get("lanes")
        )
        following.looks_on = not told["mine"]
        handle = RunHandle(
            self._engine,
            following.follow(),
            so_far=partial(Experiment, self._store, experiment_id),
            experiment_id=experiment_id,
            lanes=lanes,
            on_interrupt=lambda: note(
                f"stopped on {self.url}; what is done is stored there. Run it again "
                "to send the rest"
            ),
            owner=None if told["mine"] else f"another user of {self.url}",
        )
        self._followed.append(following)
        self._handles.add(handle)
        if all(run["status"] not in _ALIVE for run in told["runs"]):
            handle.wait()
        return handle


_ALIVE = ("pending", "running")


def _asked(order: Order) -> dict[str, Any]:
    """A task, and whom to ask how, as the API takes it."""
    task = order.task
    told = task.model_dump(mode="json", exclude={"dataset"})
    told["dataset"] = {
        "name": task.dataset.name,
        "samples": [sample.content() for sample in task.dataset],
    }
    return {
        "task": told,
        "models": [str(ref) for ref in order.models],
        "options": _options(order.options),
        "name": order.name,
    }


def _options(chosen: RunOptions) -> dict[str, Any]:
    return chosen.model_dump(mode="json", exclude_unset=True)
