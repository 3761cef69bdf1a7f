"""The server as a program: it starts, says where it is, and ends as it is told."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx2
import pytest

from aistrale_lab.embedded.__main__ import _listen

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    children = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "aistrale_lab.embedded", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.__exit__(None, None, None)


def base_url(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None
    return str(json.loads(child.stdout.readline())["base_url"])


def healthy(url: str) -> bool:
    return httpx2.get(f"{url}/models").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start: Start, number: int) -> None:
    child = start()
    url = base_url(child)
    assert healthy(url)

    child.send_signal(number)
    said, told = child.communicate(timeout=10)

    assert (child.returncode, said, told) == (0, b"", b"")


def test_a_child_leaves_interrupts_to_its_parent(start: Start) -> None:
    child = start("--until-stdin-closes")
    url = base_url(child)

    child.send_signal(signal.SIGINT)
    answers = [healthy(url) for _ in range(3)]
    child.send_signal(signal.SIGTERM)
    told = child.communicate(timeout=10)[1]

    assert all(answers)
    assert (child.returncode, told) == (0, b"")


def test_a_child_ends_when_its_pipe_closes_even_in_the_middle_of_a_stream(
    start: Start,
) -> None:
    child = start("--until-stdin-closes")
    asked = {
        "model": "echo",
        "prompt": "word " * 1_000_000,
        "stream": True,
        "max_tokens": 100_000,
    }
    with httpx2.stream("POST", f"{base_url(child)}/completions", json=asked) as answer:
        assert child.stdin is not None
        next(answer.iter_raw())
        child.stdin.close()
        code = child.wait(timeout=10)

    assert code == 0


def test_a_port_in_use_is_said_in_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = start("--port", str(port))
        said, told = child.communicate(timeout=20)

    assert (child.returncode, said) == (1, b"")
    assert told.decode().startswith(f"cannot listen on 127.0.0.1 port {port}: ")
    assert told.count(b"\n") == 1


def test_only_loopback_is_served(start: Start) -> None:
    child = start("--host", "0.0.0.0")
    told = child.communicate(timeout=20)[1]

    assert child.returncode == 2
    assert b"127.0.0.1" in told


def test_answers_are_sent_packet_by_packet_without_a_wait() -> None:
    with _listen("127.0.0.1", 0) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
