"""The `embedded` runner: the models in the box, over true HTTP on loopback."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import cast

from pydantic import SecretStr

from aistrale_lab.domain.chat import Chunk, Request
from aistrale_lab.errors import ConnectionFailedError, TruncatedAnswerError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.openai import OpenAIRunner

# -P: a module in the working folder must not stand in for one of the server's.
COMMAND = (sys.executable, "-P", "-m", "aistrale_lab.embedded", "--until-stdin-closes")

START_SECONDS = 60.0
"""How long the server may take to start, on a machine that is busy."""

END_SECONDS = 5.0
"""How long it may take to end before it is killed."""

NOTICE_SECONDS = 0.5
"""How long after a broken connection the end of the server is waited for."""

KEPT_CHARACTERS = 1_000
"""How much of its last words is repeated."""


class EmbeddedServer:
    """The server as a subprocess, started when it is first needed.

    It ends by itself when this process ends, however that happens: its standard
    input is a pipe that only this process holds. It belongs to one event loop.
    """

    def __init__(
        self, command: Sequence[str] = COMMAND, *, end_seconds: float = END_SECONDS
    ) -> None:
        self._command = command
        self._end_seconds = end_seconds
        self._process: Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._said = b""
        self._base_url = ""
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process id of the server that runs; None if there is none."""
        return self._process.pid if self._process and self._runs() else None

    async def start(self) -> str:
        """The base URL, once calls are answered; a server that ended starts again.

        Raises ConnectionFailedError with the server's last words.
        """
        async with self._lock:
            if not self._runs():
                await self._end()
                await self._begin()
            return self._base_url

    async def close(self) -> None:
        """End the server, and wait until it has ended."""
        async with self._lock:
            await self._end()

    async def ended(self) -> ConnectionFailedError | None:
        """If the server has ended, or is about to, an error that says why."""
        process = self._process
        if process is None:
            return None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), NOTICE_SECONDS)
        if process.returncode is None:
            return None
        return await self._error(f"ended with code {process.returncode}")

    def _runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _begin(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ConnectionFailedError(
                f"the embedded server did not start: {error}", code="unreachable"
            ) from error
        self._process, self._said = process, b""
        self._listener = asyncio.create_task(self._listen(process))
        try:
            line = await _first_line(process)
            self._base_url = str(json.loads(line)["base_url"])
        except (TimeoutError, ValueError, KeyError, TypeError) as error:
            _kill(process)
            failure = await self._error("did not start", code="unreachable")
            raise failure from error
        except BaseException:
            _kill(process)
            raise

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._end_seconds)
        except TimeoutError:
            _kill(process)
            await process.wait()
        finally:
            await self._heard()

    async def _listen(self, process: Process) -> None:
        """Keep the last of what the server writes to its standard error."""
        assert process.stderr is not None
        while words := await process.stderr.read(4096):
            self._said = (self._said + words)[-KEPT_CHARACTERS:]

    async def _heard(self) -> None:
        """Wait until the server has said its last; a cancelled wait harms nobody."""
        if self._listener is not None:
            await asyncio.wait([self._listener])

    async def _error(
        self, happened: str, *, code: str | None = None
    ) -> ConnectionFailedError:
        await self._heard()
        said = self._said.decode("utf-8", "replace").strip() or "it said nothing"
        return ConnectionFailedError(
            f"the embedded server {happened}: {said}", code=code
        )


class RunningServer(EmbeddedServer):
    """A server that somebody else has started, and will end."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._url = base_url

    async def start(self) -> str:
        """The base URL; whether it answers is seen by the first call."""
        return self._url

    async def ended(self) -> ConnectionFailedError | None:
        """What is not ours cannot be asked."""
        return None


class EmbeddedRunner:
    """Starts the server on `open`, then speaks to it as to any endpoint.

    A server that has died is started again by the next request.
    """

    def __init__(self, endpoint: Endpoint, server: EmbeddedServer) -> None:
        self._endpoint = endpoint
        self._server = server
        self._base_url = ""
        self._runner: OpenAIRunner | None = None
        self._outdated: list[OpenAIRunner] = []

    async def open(self) -> None:
        """Start the server, unless another runner has."""
        await self._connected()

    async def models(self) -> list[str]:
        """The names of the models in the box, sorted."""
        return await (await self._connected()).models()

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Send a request once."""
        runner = await self._connected()
        chunks = cast(AsyncGenerator[Chunk, None], runner.stream(request))
        try:
            async with contextlib.aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        except (ConnectionFailedError, TruncatedAnswerError) as error:
            ended = await self._server.ended()
            if ended is None:
                raise
            raise ended from error

    async def close(self) -> None:
        """Close the connections; the server is its owner's to close."""
        runners, self._outdated = self._outdated, []
        if self._runner is not None:
            runners, self._runner = [*runners, self._runner], None
        for runner in runners:
            await runner.close()

    async def _connected(self) -> OpenAIRunner:
        """A runner for the server as it runs now."""
        base_url = await self._server.start()
        if self._runner is not None and base_url == self._base_url:
            return self._runner
        if self._runner is not None:
            self._outdated.append(self._runner)  # calls may still be failing in it
        endpoint = self._endpoint.model_copy(
            update={
                "base_url": base_url,
                "key": SecretStr("embedded"),
                "options": {"trust_env": False},  # no proxy for loopback
            }
        )
        self._runner, self._base_url = OpenAIRunner(endpoint), base_url
        await self._runner.open()
        return self._runner


def make(endpoint: Endpoint) -> EmbeddedRunner:
    """The runner of an endpoint whose `options` hold the `server` to use."""
    server = endpoint.options.get("server")
    if not isinstance(server, EmbeddedServer):
        raise ConnectionFailedError("an embedded endpoint needs its server")
    return EmbeddedRunner(endpoint, server)


async def _first_line(process: Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), START_SECONDS)


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
