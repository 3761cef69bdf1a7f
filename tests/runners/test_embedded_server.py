"""The server's subprocess in trouble: it does not start, dies, or is called off."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aistrale_lab.domain.chat import Message, Request
from aistrale_lab.errors import ConnectionFailedError
from aistrale_lab.runners.base import Endpoint
from aistrale_lab.runners.embedded import EmbeddedRunner, EmbeddedServer, make


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer()
    yield server
    await server.close()


@pytest.fixture
async def runner(server: EmbeddedServer) -> AsyncIterator[EmbeddedRunner]:
    endpoint = Endpoint(
        provider="embedded", kind="embedded", options={"server": server}
    )
    runner = make(endpoint)
    yield runner
    await runner.close()


def program(code: str) -> EmbeddedServer:
    return EmbeddedServer([sys.executable, "-c", code], end_seconds=0.2)


def ask(text: str = "a b") -> Request:
    return Request(model="echo", messages=(Message(role="user", content=text),))


async def answered(runner: EmbeddedRunner, request: Request) -> str:
    return "".join([chunk.text async for chunk in runner.stream(request)])


def ends(pid: int, *, within: float) -> bool:
    """Whether a process, which need not be a child of ours, ends in time."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], within)[0])
    finally:
        os.close(watched)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('no such luck')", "no such luck"),
        ("print('hello', flush=True)", "it said nothing"),
        ("print('[]', flush=True)", "it said nothing"),
        ("print(1 / 0)", "ZeroDivisionError"),
        ("import sys; sys.stderr.write('x' * 10**6 + 'end'); sys.exit(1)", "xend"),
    ],
    ids=range(5),
)
async def test_a_server_that_does_not_start_leaves_its_last_words(
    code: str, words: str
) -> None:
    server = program(code)

    with pytest.raises(ConnectionFailedError, match=words) as caught:
        await server.start()
    await server.close()

    assert caught.value.code == "unreachable"
    assert "did not start" in caught.value.message
    assert len(caught.value.message) < 2_000
    assert server.pid is None


async def test_a_program_that_is_absent_is_said() -> None:
    with pytest.raises(ConnectionFailedError, match="no-such-program"):
        await EmbeddedServer(["/no-such-program"]).start()


async def test_a_server_that_dies_is_said_and_started_again(
    server: EmbeddedServer, runner: EmbeddedRunner
) -> None:
    await runner.open()
    pid = server.pid
    assert pid is not None
    chunks = runner.stream(ask("word " * 100_000))
    await anext(chunks)
    await anext(chunks)

    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ConnectionFailedError, match="ended with code -9"):
        async for _ in chunks:
            pass
    text = await answered(runner, ask())

    assert text == "a b"
    assert server.pid not in (None, pid)


async def test_many_calls_that_fail_together_start_one_new_server(
    server: EmbeddedServer, runner: EmbeddedRunner
) -> None:
    await runner.open()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.ended()

    said = await asyncio.gather(*[answered(runner, ask()) for _ in range(32)])
    urls = {await server.start() for _ in range(3)}

    assert set(said) == {"a b"}
    assert len(urls) == 1


async def test_a_stream_that_is_left_does_not_keep_the_server(
    server: EmbeddedServer, runner: EmbeddedRunner
) -> None:
    chunks = runner.stream(ask("word " * 100_000))
    await anext(chunks)
    await chunks.aclose()  # type: ignore[attr-defined]
    text = await answered(runner, ask())

    pid = server.pid
    await server.close()

    assert text == "a b"
    assert pid is not None and ends(pid, within=0)


async def test_a_start_that_is_called_off_leaves_no_process(tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    silent = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid()))"
    server = program(f"{silent}; time.sleep(600)")

    starting = asyncio.create_task(server.start())
    pid = int(await asyncio.to_thread(fifo.read_text))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert ends(pid, within=5)
    await server.close()


async def test_a_server_that_will_not_end_is_killed() -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        'print(\'{"base_url": "http://127.0.0.1:9/v1"}\', flush=True); '
        "time.sleep(600)"
    )
    server = program(deaf)
    await server.start()
    pid = server.pid

    await server.close()

    assert pid is not None and ends(pid, within=0)


async def test_what_the_server_writes_does_not_block_it() -> None:
    chatty = (
        'import sys; print(\'{"base_url": "http://127.0.0.1:9/v1"}\', flush=True); '
        "sys.stderr.write('x' * 10**7 + 'all said'); sys.exit(3)"
    )
    server = program(chatty)
    await server.start()

    ended = await server.ended()
    while ended is None:
        ended = await server.ended()
    await server.close()

    assert "ended with code 3" in ended.message
    assert ended.message.endswith("all said")


def test_a_module_in_the_working_folder_is_not_the_server_s(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('the wrong one')\n")
    code = (
        "import asyncio, sys; sys.path.remove(''); "
        "from aistrale_lab.runners.embedded import EmbeddedServer\n"
        "async def main():\n"
        "    server = EmbeddedServer()\n"
        "    await server.start()\n"
        "    await server.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60)

    assert done.returncode == 0


async def test_a_proxy_of_the_environment_is_not_asked(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    endpoint = Endpoint(
        provider="embedded", kind="embedded", options={"server": server}
    )
    runner = make(endpoint)
    try:
        assert await answered(runner, ask()) == "a b"
    finally:
        await runner.close()
