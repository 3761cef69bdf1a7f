"""`aistrale serve` and `aistrale user`: the programs, from the first admin to the end."""

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2
import pytest
from servers.team import PASSWORD, TeamServer, serving

import aistrale_lab as lab
from aistrale_lab.cli import answer
from aistrale_lab.cli.exits import Exit

AISTRALE = [sys.executable, "-m", "aistrale_lab"]
LONG_TOKEN = "7f3a9c51e0d84b26b19f6a7d"

Call = Callable[..., int]
"""Runs a command line in this process; `given` is its standard input."""


@pytest.fixture
def call(environment: None, monkeypatch: pytest.MonkeyPatch) -> Call:
    def call(*words: str, given: str = "") -> int:
        stream = io.TextIOWrapper(io.BytesIO(given.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        return answer(words)

    return call


def add_admin(call: Call, store_url: str) -> None:
    words = ("--admin", "--password-stdin", "--store", store_url)
    assert call("user", "add", "root", *words, given=f"{PASSWORD}\n") == Exit.DONE


def test_the_first_admin_is_added_here_signs_in_and_the_server_ends_in_good_order(
    call: Call, store_url: str
) -> None:
    """S35: first admin by the command line; 143 on SIGTERM."""
    add_admin(call, store_url)
    with serving(store_url) as (program, url):
        signed_in = httpx2.post(
            f"{url}/api/v1/auth/login",
            json={"name": "Root", "password": PASSWORD},
            timeout=60,
        )
        program.send_signal(signal.SIGTERM)
        code = program.wait(60)

    assert (signed_in.status_code, signed_in.json()["role"]) == (200, "admin")
    assert code == Exit.TERMINATED


def test_an_empty_store_is_served_and_lets_nobody_in(store_url: str) -> None:
    """S35: no default credentials, no way to register oneself."""
    with serving(store_url) as (program, url):
        tried = [
            httpx2.post(
                f"{url}/api/v1/auth/login",
                json={"name": name, "password": password},
                timeout=60,
            ).status_code
            for name, password in [("admin", "admin"), ("root", "changeme")]
        ]
        registered = [
            httpx2.post(f"{url}{path}", json={}, timeout=60).status_code
            for path in ("/register", "/api/v1/auth/register", "/api/v1/users")
        ]
        program.send_signal(signal.SIGINT)
        code = program.wait(60)
        assert program.stderr is not None
        said = program.stderr.read()

    assert tried == [401, 401]
    assert registered == [404, 404, 404]
    assert code == Exit.INTERRUPTED
    assert "aistrale user add NAME --admin" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "token",
    ["changeme", "short7f3a", "changemechangemechangeme", "a" * 40, "password" * 3],
)
def test_a_metrics_token_that_can_be_guessed_is_refused(
    call: Call,
    store_url: str,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """S35: AISTRALE_METRICS_TOKEN=changeme exits with 2."""
    monkeypatch.setenv("AISTRALE_METRICS_TOKEN", token)

    code = call("serve", "--port", "0", "--store", store_url)

    said = capsys.readouterr().err
    assert code == Exit.USAGE
    assert "AISTRALE_METRICS_TOKEN can be guessed" in said
    assert token not in said


@pytest.fixture
def measured(bench: lab.Lab) -> Iterator[TeamServer]:
    with TeamServer(bench, metrics_token=LONG_TOKEN) as server:
        yield server


def test_metrics_are_for_whoever_bears_their_token(measured: TeamServer) -> None:
    with measured.visitor() as nobody:
        nobody.get("/health")
        answers = [
            nobody.get("/metrics", headers={"authorization": said})
            for said in (f"Bearer {LONG_TOKEN}", f"Bearer {LONG_TOKEN}x", "Basic eDp5")
        ]
        elsewhere = nobody.get(
            "/api/v1/users/me", headers={"authorization": f"Bearer {LONG_TOKEN}"}
        )

    assert [a.status_code for a in answers] == [200, 401, 401]
    assert elsewhere.status_code == 401
    counted = 'aistrale_requests_total{method="GET",route="/health",status="200"} 1.0'
    assert counted in answers[0].text
    assert answers[0].headers["content-type"].startswith("text/plain; version=")


def test_a_port_that_is_taken_is_bad_usage(
    call: Call,
    store_url: str,
    measured: TeamServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = measured.url.rpartition(":")[2]

    code = call("serve", "--store", store_url, "--port", port)

    assert code == Exit.USAGE
    assert f"port {port} cannot be used" in capsys.readouterr().err


def test_a_missing_extra_is_named(store_url: str, tmp_path: Path) -> None:
    """The package is hidden from the program by a finder that knows it not."""
    hiding = (
        "import sys, importlib.machinery as m\n"
        "find = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(lambda cls, name, *rest: "
        "None if name == 'argon2' else find(name, *rest))\n"
    )
    (tmp_path / "sitecustomize.py").write_text(hiding)

    ended = subprocess.run(
        [*AISTRALE, "serve", "--store", store_url],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=110,
    )

    assert ended.returncode == Exit.USAGE
    assert "argon2-cffi is not installed" in ended.stderr
    assert "aistrale-lab[server]" in ended.stderr


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["ann"], "", "no terminal to ask on; use --password-stdin"),
        (["ann", "--password-stdin"], "short\n", "a password has 8 to 1,000"),
        (["ann", "--password-stdin"], "trustno1\n", "guessed first"),
        (["a/b", "--password-stdin"], f"{PASSWORD}\n", "is no name of a user"),
        (["ROOT", "--password-stdin"], f"{PASSWORD}\n", "a user 'root' already"),
    ],
)
def test_a_user_who_cannot_be_added_is_refused_in_words(
    call: Call,
    store_url: str,
    words: Sequence[str],
    given: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_admin(call, store_url)

    code = call("user", "add", *words, "--store", store_url, given=given)
    refused = capsys.readouterr().err
    call("user", "list", "--store", store_url)

    assert code == Exit.USAGE
    assert said in refused
    assert capsys.readouterr().out == "root (admin)\n"


def test_a_password_is_asked_for_twice_on_a_terminal(store_url: str) -> None:
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [*AISTRALE, "user", "add", "ann", "--store", store_url],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for _ in range(2):
        shown += read_until(ours, b": ")
        os.write(ours, f"{PASSWORD}\n".encode())
    with program:
        output, _ = program.communicate(timeout=60)
    os.close(ours)

    assert (program.returncode, output) == (0, b"ann (user) may sign in\n")
    assert b"15 characters or more" in shown
    assert PASSWORD.encode() not in shown


def read_until(terminal: int, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        said += os.read(terminal, 1024)
    return said
