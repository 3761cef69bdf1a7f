"""`make_app` under uvicorn: listens, says where, and stops in good order."""

import asyncio
import gc
import socket
from collections.abc import Callable

import uvicorn

from aistrale_lab.errors import ConfigError
from aistrale_lab.lab.bench import Lab
from aistrale_lab.server.app import make_app

GRACE = 10
"""Seconds that answers in the making are given at the end."""

YOUNG = 20_000
"""Objects that are made before garbage is looked for among them: some 20 calls'."""


class Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, told: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = told

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept requests, then say so."""
        await super().startup(sockets)
        self._told()


def serve(bench: Lab, host: str, port: int, told: Callable[[str], None]) -> None:
    """Serve a bench until a signal, which is raised again at the end.

    `told` is given the URL. Port 0 takes a free one. Raises ConfigError for an
    address that cannot be listened on, or for a setting that cannot work.
    """
    app = make_app(bench)
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws="none",
        # whom to believe is decided by the settings, in `make_app`
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )
    server = Server(config, lambda: told(url_of(listening)))
    _spare_the_collector()
    asyncio.run(server.serve(sockets=[listening]))


def url_of(listening: socket.socket) -> str:
    """Where a socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _spare_the_collector() -> None:
    """Look for garbage less often, and never among what stays for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=4096)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"{host} port {port} cannot be used: {said}") from error
    # accepted connections inherit it; asyncio sets it only on sockets that it made
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
