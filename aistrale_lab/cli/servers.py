"""`embedded`: the models in the box as a program that stays in the foreground."""

import json
import socket
import subprocess
import sys

from aistrale_lab.cli.exits import Exit
from aistrale_lab.cli.output import emit
from aistrale_lab.errors import ConfigError, StoreError
from aistrale_lab.terminal import note

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
