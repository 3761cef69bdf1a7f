"""`embedded` and `lab`: programs that stay in the foreground."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from aistrale_lab.errors import ConfigError, NotFoundError


def embedded(port: int) -> NoReturn:
    """Become the embedded server: it prints its base URL and how to use it."""
    _become([sys.executable, "-m", "aistrale_lab.embedded", "--port", str(port)])


def lab(folder: Path | None, *, port: int | None, browser: bool) -> NoReturn:
    """Become JupyterLab; raises ConfigError, naming the extra, if it is absent."""
    missing = [name for name in ("jupyterlab", "ipykernel") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} is not installed; "
            "pip install 'aistrale-lab[notebook]'"
        )
    words = [sys.executable, "-m", "jupyterlab", str(_notebooks(folder))]
    words += [f"--port={port}"] if port is not None else []
    words += [] if browser else ["--no-browser"]
    _become(words)


def _notebooks(folder: Path | None) -> Path:
    if folder is None:
        here = Path("notebooks")
        return here if here.is_dir() else Path(".")
    if not folder.exists():
        raise NotFoundError(f"there is no folder {str(folder)!r}")
    return folder


def _become(words: list[str]) -> NoReturn:
    """Replace this program, so that signals reach the new one and its code is ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)
