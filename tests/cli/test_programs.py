"""`aistrale --help`, `doctor`, `embedded` and `selftest`."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

HEAVY = ["openai", "huggingface_hub", "pandas", "sqlalchemy", "pydantic_settings"]


def test_help_names_every_command_and_every_exit_code(shell: Any) -> None:
    ended = shell.run("--help")

    commands = [
        "demo",
        "run",
        "resume",
        "runs",
        "show",
        "compare",
        "leaderboard",
        "score",
        "export",
        "report",
        "plan",
        "selftest",
    ]
    commands += ["doctor", "embedded", "lab"]
    assert ended.returncode == 0
    assert all(f"│ {name} " in ended.stdout for name in commands)
    assert "Exit codes: 0 done" in " ".join(ended.stdout.split())


def test_help_loads_nothing_heavy(shell: Any) -> None:
    program = (
        "import sys\n"
        "from aistrale_lab.cli import answer\n"
        "assert answer(['run', '--help']) == 0\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    options = shell.options() | {"args": [sys.executable, "-c", program]}
    ended = subprocess.run(timeout=60, **options)

    assert ended.stderr == "[]\n"


def test_the_version_is_that_of_the_package(shell: Any) -> None:
    ended = shell.run("--version")

    assert (ended.returncode, ended.stdout) == (0, "aistrale 0.1.0\n")


def test_help_that_nobody_reads_to_its_end_is_no_fault(shell: Any) -> None:
    going = shell.start("run", "--help")
    going.stdout.close()
    said = going.stderr.read()
    going.stderr.close()

    assert (going.wait(60), said) == (0, "")


def test_the_doctor_names_keys_and_never_shows_them(shell: Any, call: Any) -> None:
    shell.environment |= {"OPENAI_API_KEY": "sk-hush", "HF_TOKEN": "hf_hush"}
    shell.environment |= {"HTTPS_PROXY": "http://me:hush@proxy:8080"}
    plain = call("doctor")
    ended = call("doctor", "--json")

    found = json.loads(ended.stdout)
    assert (plain.returncode, ended.returncode) == (0, 0)
    assert "hush" not in plain.stdout + plain.stderr + ended.stdout + ended.stderr
    assert found["keys"]["OPENAI_API_KEY"] and found["keys"]["HF_TOKEN"]
    assert not found["keys"]["ANTHROPIC_API_KEY"]
    assert found["proxies"] == {"HTTPS_PROXY": "http://proxy:8080"}
    assert found["versions"]["aistrale-lab"] == "0.1.0"
    assert "not there yet" in found["store"]["state"]
    assert not (shell.folder / "aistrale.db").exists()


def test_the_doctor_speaks_of_the_wal_reset_bug_where_it_is(
    shell: Any, call: Any
) -> None:
    found = json.loads(call("doctor", "--json").stdout)["sqlite"]

    version = tuple(map(int, found["version"].split(".")))
    affected = (3, 7, 0) <= version <= (3, 51, 2)
    assert (found["notice"] is not None) == affected


def test_the_doctor_counts_what_the_store_holds(shell: Any, call: Any) -> None:
    assert call("runs").returncode == 0
    found = json.loads(call("doctor", "--json").stdout)

    assert found["store"]["state"] == "readable"
    assert found["store"]["runs"] == 0


@pytest.mark.parametrize("content", [b"no database" * 200, None])
def test_the_doctor_ends_with_5_if_the_store_cannot_be_read(
    shell: Any, call: Any, content: bytes | None
) -> None:
    file = shell.folder / "broken.db"
    if content is not None:
        file.write_bytes(content)
    name = "broken.db" if content else "no/folder/x.db"
    ended = call("doctor", "--store", f"sqlite:///{name}")

    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert "fault" in ended.stdout


def test_the_doctor_ends_with_2_if_the_settings_are_broken(
    shell: Any, call: Any
) -> None:
    (shell.folder / "aistrale.toml").write_text("bogus = 1\n")
    ended = call("doctor", "--store", "sqlite:///x.db", "--json")

    assert ended.returncode == 2
    assert "bogus" in json.loads(ended.stdout)["settings"]["fault"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_embedded_serves_until_a_signal(shell: Any, number: int, code: int) -> None:
    going = shell.start("embedded")
    base_url = going.stdout.readline().strip()
    with urllib.request.urlopen(f"{base_url}/models", timeout=30) as answer:
        names = [model["id"] for model in json.load(answer)["data"]]
    going.send_signal(number)
    _, told = going.communicate(timeout=30)

    assert "calculator" in names
    assert going.returncode == code
    assert f"OPENAI_BASE_URL={base_url}" in told
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{base_url}/models", timeout=5)


def test_embedded_says_that_a_port_is_taken(shell: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = shell.run("embedded", "--port", str(port))

    assert ended.returncode == 2
    assert f"port {port} cannot be used: Address already in use" in ended.stderr


def test_the_self_test_tells_how_true_our_times_are(shell: Any, call: Any) -> None:
    words = ["selftest", "latency", "--ttft", "30", "--itl", "5", "--calls", "8"]

    shown = call(*words, "--concurrency", "2", "--tokens", "3")
    found = json.loads(call(*words, "--json").stdout)

    assert shown.returncode == 0, shown.stderr
    assert "time to first token" in shown.stdout
    assert "answers were flagged loop_lag" in shown.stdout
    assert [bias["name"] for bias in found["biases"]] == [
        "time to first token",
        "between tokens",
        "duration",
    ]
    assert not (shell.folder / "aistrale.db").exists()
