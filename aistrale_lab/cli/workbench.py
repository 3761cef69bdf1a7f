"""`lab`: JupyterLab over the notebooks, with every call to elsewhere switched off."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.interrupt import CODES
from aistrale_lab.cli.shipped import Copied, copy_shipped
from aistrale_lab.errors import ConfigError
from aistrale_lab.terminal import note
from aistrale_lab.widgets.exporting import SETTINGS

NEEDED = ("jupyterlab", "ipykernel")
FIRST = "notebooks/01_quickstart.ipynb"

OWN_FOLDER = Path("aistrale-notebooks")
"""Made where the command is called, unless the notebooks are there already."""

SHIPPED = {"notebooks": ("*.ipynb",), "datasets": ("*.jsonl", "README.md")}
"""The notebooks read `../datasets`, so the two stand side by side."""

OFFLINE = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
"""What JupyterLab would ask of other machines by itself: news, updates, listings."""

CONFIG_PATH = "JUPYTER_CONFIG_PATH"
OWN_CONFIG = files(__package__) / "jupyter"
"""Switches off the plug-in that asks whether to fetch the news: no trait does."""


def lab(folder: Path | None, words: Sequence[str], *, browser: bool) -> Exit:
    """Serve JupyterLab until a signal or its own menu ends it.

    `words` go to Jupyter after ours, and so may overrule them. Raises ConfigError if
    the extra is absent or the folder is none.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} is not installed; "
            "pip install 'aistrale-lab[notebook]'"
        )
    own = folder or _usual_folder()
    if own.exists() and not own.is_dir():
        raise ConfigError(f"{str(own)!r} is not a folder")
    note(_told(own, [copy_shipped(name, own, *SHIPPED[name]) for name in SHIPPED]))
    return _serve([*arguments(own, browser=browser), *words])


def arguments(folder: Path, *, browser: bool) -> list[str]:
    """What JupyterLab is started with: the quickstart open, nothing from elsewhere."""
    words = [*OFFLINE, *_export_words(), f"--ServerApp.root_dir={folder.resolve()}"]
    if (folder / FIRST).exists():
        words.append(f"--LabApp.default_url=/lab/tree/{FIRST}")
    if _encrypts():
        # a kernel that is reached without says so on the terminal, at every start
        words.append("--KernelManager.transport_encryption=auto")
    return words if browser else [*words, "--no-browser"]


class Ending:
    """Ends a server at the first signal, without a question; a context manager.

    The kernels are shut down, for every answer is on disk. A second signal does not
    wait for them. Nothing is written here: the signal may have come in the middle of
    a write to standard error, where another one fails and the signal would be lost.
    """

    def __init__(self) -> None:
        self.code: Exit | None = None
        self._server: Any = None
        self._earlier: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Ending":
        self._earlier = {number: signal.getsignal(number) for number in CODES}
        return self

    def __exit__(self, *error: object) -> None:
        for number, earlier in self._earlier.items():
            signal.signal(number, earlier)

    def watch(self, server: Any) -> None:
        """From now on a signal ends this server, be it running already or not."""
        self._server = server
        for number in CODES:
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.code is not None:
            raise SystemExit(int(self.code))
        self.code = CODES[signal.Signals(number)]
        # the thread-safe call, because only that wakes a loop that sleeps
        self._server.io_loop.asyncio_loop.call_soon_threadsafe(self._server.stop)


def _serve(words: Sequence[str]) -> Exit:
    from jupyter_core.application import NoStart
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    os.environ[CONFIG_PATH] = os.pathsep.join(
        filter(None, [os.environ.get(CONFIG_PATH), str(OWN_CONFIG)])
    )
    with Ending() as ending:
        try:
            with _signals_held_back():  # so that Jupyter's own handlers get none
                server = LabApp.initialize_server(argv=list(words))
                ending.watch(server)
            server.start()
        except NoStart:  # such as --generate-config, which does something else
            return Exit.DONE
        except SystemExit as left:  # Jupyter has said why on standard error
            return ending.code or (Exit.USAGE if left.code else Exit.DONE)
    return ending.code or Exit.DONE


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Signals that come in here take effect at its end."""
    if sys.platform == "win32":
        yield
        return
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, CODES)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _export_words() -> Iterator[str]:
    """The settings of our HTML export, for `Save and Export As` in the menu."""
    for owner, traits in SETTINGS.items():
        for name, value in traits.items():
            if isinstance(value, dict):
                value = [f"{key}={inner}" for key, inner in value.items()]
            for one in value if isinstance(value, list) else [value]:
                yield f"--{owner}.{name}={one}"


def _encrypts() -> bool:
    import zmq

    return bool(zmq.has("curve"))


def _usual_folder() -> Path:
    """The folder one is in if it has the notebooks (a checkout, or made earlier)."""
    here = Path()
    return here if (here / FIRST).exists() else OWN_FOLDER


def _told(folder: Path, copies: Sequence[Copied]) -> str:
    """What was copied and what was kept, in one line."""
    copied = sum(len(copy.copied) for copy in copies)
    kept = [name for copy in copies for name in copy.kept]
    changed = [name for copy in copies for name in copy.differing]
    words = [f"{folder.resolve()}: {copied} notebooks and prompt sets copied"]
    words += [f"{len(kept)} kept as they are"] if kept else []
    words += [f"of which {len(changed)} differ from ours"] if changed else []
    return ", ".join(words)
