"""What a bench is made of, opened and closed together."""

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar

from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.engine.thread import EngineThread
from aistrale_lab.lab.asking import Asking
from aistrale_lab.lab.handle import RunHandle
from aistrale_lab.lab.launcher import Launcher
from aistrale_lab.lab.local_launch import LocalLauncher
from aistrale_lab.lab.mirror import Mirror, open_team
from aistrale_lab.lab.own_answering import OwnAnswering
from aistrale_lab.lab.remote_launch import RemoteLauncher
from aistrale_lab.lab.team import Team, is_server
from aistrale_lab.lab.team_answering import TeamAnswering
from aistrale_lab.logs import Log
from aistrale_lab.settings import Settings, load_settings
from aistrale_lab.store.batches import Batches
from aistrale_lab.store.records import PointRecord
from aistrale_lab.store.results import Store
from aistrale_lab.telemetry.opening import open_telemetry

if TYPE_CHECKING:
    from aistrale_lab.telemetry.observer import Telemetry

T = TypeVar("T")


class Workings:
    """The parts of a bench, for itself and for the server or batch over it."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log: Log,
        telemetry: "Telemetry | None" = None,
        remote: tuple[Team, Mirror] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._engine = EngineThread()
        self._telemetry = telemetry
        self._remote = remote
        self._launcher: Launcher = (
            RemoteLauncher(*remote, self._engine)
            if remote
            else LocalLauncher(store, settings, log, self._engine, telemetry)
        )
        self._asking = Asking(
            self._engine,
            (
                TeamAnswering(remote[0])
                if remote
                else OwnAnswering(self._launcher.place, store.recorder, telemetry)
            ),
        )

    @classmethod
    def open(
        cls, store: str | None = None, *, settings: Settings | None = None
    ) -> Self:
        """Open the bench over a store's URL, made on first use, or over a server's.

        Without one: AISTRALE_STORE, else sqlite:///aistrale.db. Over `https://` it is
        the bench of a team: runs are executed there, as the user whose token is in
        AISTRALE_TOKEN. Raises ConfigError for a malformed URL or settings file, and
        for telemetry that cannot be sent so, StoreError for a broken store, NotSignedInError without a valid token.
        """
        settings = settings or load_settings()
        exporters = settings.telemetry.traces, settings.telemetry.metrics
        url = store or settings.store
        remote = None
        if is_server(url):
            remote = open_team(url, settings.token)
        opened = remote[1].store if remote else Store.open(url)
        log = Log(
            opened.log_path,
            secrets=settings.secrets(),
            human=settings.log == "human",
        )
        telemetry = open_telemetry(*exporters, log=log, secrets=settings.secrets())
        return cls(opened, settings, log, telemetry, remote)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what still runs, flush the store, and leave no thread behind."""
        self._asking.close()
        self._launcher.close()
        self._engine.close()
        self._store.close()
        if self._telemetry is not None:
            self._telemetry.close()
        self._log.close()
        if self._remote is not None:
            self._remote[1].close()

    @property
    def store_url(self) -> str:
        """The URL of the store, or of the server, without any password."""
        return self._launcher.url

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key that is set, to be taken out of what is written."""
        return self._settings.secrets()

    @property
    def settings(self) -> Settings:
        """What is set, for a server over this bench."""
        return self._settings

    @property
    def asking(self) -> Asking:
        """What `ask` and `stream` go through, for a server over this bench."""
        return self._asking

    @property
    def store(self) -> Store:
        """The store, for a server over this bench."""
        return self._store

    @property
    def log(self) -> Log:
        """The log, with secrets taken out of what is written to it."""
        return self._log

    @property
    def telemetry(self) -> "Telemetry | None":
        """Who observes the bench, for a server over it; None if nobody does."""
        return self._telemetry

    @property
    def batches(self) -> Batches:
        """The batches of the store."""
        return Batches(self._store)

    def environment_of_point(
        self, point: PointRecord, notebook: str, embedded_url: str | None
    ) -> dict[str, str]:
        """The variables by which a kernel works for a point of a batch."""
        told = {
            "AISTRALE_STORE": self._store.full_url,
            "AISTRALE_BATCH": point.batch_id,
            "AISTRALE_POINT": point.key,
            "AISTRALE_NOTEBOOK": notebook,
        }
        return told | ({"AISTRALE_EMBEDDED_URL": embedded_url} if embedded_url else {})

    def start_embedded(self) -> "Future[str]":
        """Serve the models in the box; their base URL, once they answer."""
        return self._engine.submit(self._launcher.start_embedded())

    def conduct(
        self,
        work: Coroutine[Any, Any, None],
        *,
        so_far: Callable[[], T],
        handle_id: str,
        lanes: Sequence[LaneProgress],
    ) -> RunHandle[T]:
        """Conduct work over many runs on the engine, with a handle on it."""
        return self._launcher.conduct(
            work, so_far=so_far, handle_id=handle_id, lanes=lanes
        )
