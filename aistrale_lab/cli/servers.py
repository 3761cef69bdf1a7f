"""`embedded` and `lab`: programs that stay in the foreground."""

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.output import emit, note
from aistrale_lab.cli.shipped import copy_shipped
from aistrale_lab.errors import ConfigError, NotFoundError, StoreError

LOOPBACK = "127.0.0.1"


def embedded(port: int) -> Exit:
    """Serve the models in the box until a signal; the base URL goes to stdout.

    The server ends with this program, however that ends: it holds the other end of
    its standard input.
    """
    _check_port(port)
    words = [sys.executable, "-m", "aistrale_lab.embedded", "--until-stdin-closes"]
    server = subprocess.Popen(
        [*words, "--port", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with server:
        assert server.stdin is not None and server.stdout is not None
        try:
            line = server.stdout.readline()
            if not line:
                raise StoreError("the embedded server did not start")
            _introduce(json.loads(line)["base_url"])
            server.wait()
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
        finally:
            server.stdin.close()
            server.terminate()
    return Exit.BROKEN


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
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)  # signals reach Jupyter, and its exit code is ours


def _introduce(base_url: str) -> None:
    emit(f"{base_url}\n")
    note("serving the models in the box, to this machine alone; Ctrl-C ends it. Try:")
    note(
        f"  OPENAI_BASE_URL={base_url} OPENAI_API_KEY=none "
        "aistrale run YOUR.jsonl -m openai/nearest"
    )


def _check_port(port: int) -> None:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used: {error.strerror}") from error


def _notebooks(folder: Path | None) -> Path:
    """The folder that was named, ./notebooks, or a fresh copy of ours as that."""
    if folder is not None and not folder.exists():
        raise NotFoundError(f"there is no folder {str(folder)!r}")
    own = folder or Path("notebooks")
    if not own.exists():
        here = Path.cwd()
        own = copy_shipped("notebooks", here, "*.ipynb")
        copy_shipped("datasets", here, "*.jsonl")  # which the notebooks read
        note(f"the notebooks and their prompt sets were copied to {here}")
    return own
