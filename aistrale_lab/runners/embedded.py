"""The `embedded` runner: the models in the box, over true HTTP on loopback."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

from pydantic import SecretStr

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import ConnectionFailedError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.openai import OpenAIRunner

START_SECONDS = 60.0
"""How long the server may take to start, on a machine that is busy."""


class EmbeddedServer:
    """The server as a subprocess, started when it is first needed.

    It ends by itself when this process ends, however that happens: its standard
    input is a pipe that only this process holds.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._base_url = ""
        self._lock = asyncio.Lock()

    async def start(self) -> str:
        """The base URL, once calls are answered. Raises ConnectionFailedError."""
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "aistrale_lab.embedded"),
                    "--until-stdin-closes",
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    start_new_session=True,
                )
                self._base_url = await self._started(self._process)
            return self._base_url

    async def close(self) -> None:
        """End the server, and wait until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await process.communicate()

    async def _started(self, process: Process) -> str:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            process.kill()
            line = b""
        if not line:
            _, said = await process.communicate()
            last = said.decode("utf-8", "replace").strip()[-500:]
            raise ConnectionFailedError(
                f"the embedded server did not start: {last}", code="unreachable"
            )
        return str(json.loads(line)["base_url"])


class EmbeddedRunner:
    """Starts the server on `open`, then speaks to it as to any endpoint."""

    def __init__(self, endpoint: Endpoint, server: EmbeddedServer) -> None:
        self._endpoint = endpoint
        self._server = server
        self._runner: OpenAIRunner | None = None

    async def open(self) -> None:
        """Start the server, unless another runner has."""
        base_url = await self._server.start()
        endpoint = self._endpoint.model_copy(
            update={"base_url": base_url, "key": SecretStr("embedded")}
        )
        self._runner = OpenAIRunner(endpoint)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request once."""
        if self._runner is None:
            await self.open()
        assert self._runner is not None
        async for chunk in self._runner.stream(request):
            yield chunk

    async def close(self) -> None:
        """Close the connections; the server is its owner's to close."""
        if self._runner is not None:
            await self._runner.close()


def make(endpoint: Endpoint) -> EmbeddedRunner:
    """The runner of an endpoint whose `options` hold the `server` to use."""
    server = endpoint.options.get("server")
    if not isinstance(server, EmbeddedServer):
        raise ConnectionFailedError("an embedded endpoint needs its server")
    return EmbeddedRunner(endpoint, server)
