"""The embedded runner: its server starts, is shared, and ends with its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from aistrale_lab.domain.chat import Chunk, FinishReason, Message, Request, Usage
from aistrale_lab.errors import ConnectionFailedError, ModelNotFoundError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.embedded import EmbeddedRunner, EmbeddedServer, make


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer()
    yield server
    await server.close()


def runner_on(server: EmbeddedServer) -> EmbeddedRunner:
    return make(
        Endpoint(provider="embedded", kind="embedded", options={"server": server})
    )


def ask(model: str = "echo", *, text: str = "a b", stream: bool = True) -> Request:
    messages = (Message(role="user", content=text),)
    return Request(model=model, messages=messages, stream=stream)


async def answered(runner: EmbeddedRunner, request: Request) -> tuple[str, Chunk]:
    chunks = [chunk async for chunk in runner.stream(request)]
    return "".join(chunk.text for chunk in chunks), chunks[-1]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_in_the_box_answers(server: EmbeddedServer, stream: bool) -> None:
    runner = runner_on(server)
    await runner.open()

    text, last = await answered(runner, ask("calculator", text="6*7", stream=stream))
    await runner.close()

    assert text == "42"
    assert last.finish_reason is FinishReason.STOP
    assert last.usage == Usage(input_tokens=1, output_tokens=1)


async def test_runners_share_one_server(server: EmbeddedServer) -> None:
    urls = await asyncio.gather(*[server.start() for _ in range(5)])

    assert len(set(urls)) == 1


async def test_an_unknown_model_ends_the_lane(server: EmbeddedServer) -> None:
    runner = runner_on(server)
    await runner.open()

    with pytest.raises(ModelNotFoundError, match="calculator"):
        await answered(runner, ask("gpt-9"))
    await runner.close()


async def test_a_closed_server_answers_no_more_and_starts_again() -> None:
    server = EmbeddedServer()
    first = await server.start()
    await server.close()

    async with httpx2.AsyncClient() as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get(f"{first}/models")
        again = await server.start()
        answer = await http.get(f"{again}/models")
    await server.close()
    await server.close()

    assert answer.status_code == 200


async def test_an_endpoint_without_a_server_is_refused() -> None:
    with pytest.raises(ConnectionFailedError):
        make(Endpoint(provider="embedded", kind="embedded"))


async def test_64_streams_at_once_complete(server: EmbeddedServer) -> None:
    runner = EmbeddedRunner(
        Endpoint(provider="embedded", kind="embedded", concurrency=64), server
    )
    await runner.open()
    text = "word " * 300

    found = await asyncio.gather(*[answered(runner, ask(text=text)) for _ in range(64)])
    await runner.close()

    assert {said for said, _ in found} == {text}
    assert {last.finish_reason for _, last in found} == {FinishReason.STOP}


PARENT = """
    import asyncio
    from aistrale_lab.runners.embedded import EmbeddedServer

    async def main():
        server = EmbeddedServer()
        await server.start()
        print(server._process.pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_the_server_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        parent.kill()
        parent.wait()

    deadline = time.monotonic() + 8
    while is_running(server) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not is_running(server)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
