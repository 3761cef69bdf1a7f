"""What a bench asks of whoever executes its experiments, here or on a server."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from aistrale_lab.domain.tasks import ModelRef, Task
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.lab.exchanging import Place
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.lab.forecasting import Basis, Plan
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.listing import ModelList
from aistrale_lab.lab.options import RunOptions
from aistrale_lab.lab.resuming import SettingsOf, stored_settings
from aistrale_lab.pricing import Price
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.store.records import RunRecord, Visibility

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """An experiment that is asked for: what, of whom, how, and for whom."""

    task: Task
    models: Sequence[ModelRef]
    options: RunOptions
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    owner: str | None = None
    visibility: Visibility = "private"


class Launcher(Protocol):
    """Starts, finds and resumes experiments, and knows what they become."""

    shared: Place
    """Where `push` and `pull` find the experiments."""

    url: str
    """Of the store or the server, without any password."""

    def close(self) -> None:
        """Let go of every handle; nothing that was started here goes on unseen."""

    def start(self, order: Order) -> RunHandle[Experiment]:
        """Check everything, and start it or go on with it; see `Lab.start`."""

    def find(self, order: Order) -> Experiment | None:
        """The experiment that `start` would go on with, if there is one."""

    def forecast(self, order: Order, basis: Basis) -> Plan:
        """What a run would take, and what it could show; see `Lab.plan`."""

    def resume(
        self,
        runs: Sequence[RunRecord],
        chosen: RunOptions,
        *,
        failed: bool,
        settings: SettingsOf = stored_settings,
    ) -> RunHandle[Experiment]:
        """Send what is missing of runs of one experiment; see `Lab.start_resume`."""

    def attach(self, experiment_id: str) -> RunHandle[Experiment]:
        """The handle of an experiment, whoever executes it; see `Lab.attach`."""

    def conduct(
        self,
        work: Coroutine[Any, Any, None],
        *,
        so_far: Callable[[], T],
        handle_id: str,
        lanes: Sequence[LaneProgress],
    ) -> RunHandle[T]:
        """Conduct other work over runs on the engine; it ends when the bench closes."""

    def know(self, which: str) -> None:
        """Have an experiment in the store, by its or a run's id, or their beginning."""

    def refresh(self, which: str) -> None:
        """The same, as it stands now."""

    def scored(self, experiment_id: str) -> None:
        """Bring scores that were made here to where they belong."""

    def list_runs(self, limit: int | None) -> list[RunRecord]:
        """All runs that one sees, newest first."""

    def place(self, ref: ModelRef, chosen: RunOptions) -> tuple[Endpoint, Price | None]:
        """Where a model's calls go, and what they cost; raises ConfigError."""

    async def start_embedded(self) -> str:
        """The base URL of the models in the box, served from now on."""

    async def list_models(self) -> ModelList:
        """What every endpoint offers; on the engine's loop."""
