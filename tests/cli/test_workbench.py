"""`aistrale lab`: what it copies, what it opens, what it switches off, how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit

import pytest

from aistrale_lab.cli import demo
from aistrale_lab.cli.shipped import copy_shipped, shipped
from aistrale_lab.cli.workbench import FIRST, OWN_FOLDER, arguments

WORDS = ("lab", "--no-browser", "--port=0", "--allow-root")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")
Call = Callable[..., CompletedProcess[str]]
ANNOUNCEMENTS = "@jupyterlab/apputils-extension:announcements"


def read_until(going: "subprocess.Popen[str]", words: str) -> str:
    """What the program says on standard error until these words have come."""
    told = ""
    assert going.stderr is not None
    while words not in told:
        line = going.stderr.readline()
        assert line, told
        told += line
    return told


def await_listening(address: str) -> None:
    """Jupyter tells its address a moment before it listens there."""
    parts = urlsplit(address)
    give_up = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((parts.hostname, parts.port), timeout=5).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < give_up
            time.sleep(0.05)


class Bench:
    """A served JupyterLab, as a browser talks to it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.folder = folder

    def get(self, path: str = "", *, method: str = "GET") -> str:
        parts = urlsplit(self.address)
        url = f"http://{parts.netloc}{path or parts.path}?{parts.query}"
        asked = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            text: str = answer.read().decode()
            return text

    def page_config(self) -> dict[str, Any]:
        found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script', self.get())
        assert found is not None
        settings: dict[str, Any] = json.loads(found[1])
        return settings


@pytest.fixture
def served(shell: Any) -> Iterator[Bench]:
    pytest.importorskip("jupyterlab")
    going = shell.start(*WORDS)
    found = ADDRESS.search(read_until(going, "127.0.0.1"))
    assert found is not None
    await_listening(found[0])
    yield Bench(found[0], shell.folder)
    going.send_signal(signal.SIGINT)
    told = going.communicate(timeout=30)[1]
    assert going.returncode == 130, told


def test_it_opens_the_quickstart_and_asks_nothing_of_other_machines(
    served: Bench,
) -> None:
    settings = served.page_config()
    page = served.get(f"/nbconvert/html/{FIRST}")
    kernel = json.loads(served.get("/api/kernels", method="POST"))["id"]

    assert urlsplit(served.address).path == f"/lab/tree/{FIRST}"
    assert (served.folder / OWN_FOLDER / FIRST).exists()
    assert settings["news"] == {"disabled": True}
    assert ANNOUNCEMENTS in settings["disabledExtensions"]
    assert settings["extensionManager"]["can_install"] is False
    assert "<script" not in page and "<thead>" in page
    runtime = served.folder / ".local/share/jupyter/runtime"
    connection = json.loads((runtime / f"kernel-{kernel}.json").read_text())
    assert "curve_publickey" in connection  # else the kernel warns at its start


@pytest.mark.parametrize(
    ("number", "code", "when"),
    [
        (signal.SIGTERM, 143, "copied"),
        (signal.SIGTERM, 143, "is running at"),
        (signal.SIGINT, 130, "copied"),
    ],
)
def test_an_early_signal_ends_it_without_a_question(
    shell: Any, number: int, code: int, when: str
) -> None:
    pytest.importorskip("jupyterlab")
    going = shell.start(*WORDS)
    read_until(going, when)
    going.send_signal(number)
    told = going.communicate(timeout=30)[1]

    assert going.returncode == code
    assert "Traceback" not in told
    runtime = shell.folder / ".local/share/jupyter/runtime"
    assert not list(runtime.glob("jpserver-*.json"))


def test_what_jupyter_refuses_ends_with_2(shell: Any) -> None:
    pytest.importorskip("jupyterlab")
    ended = shell.run("lab", "--no-browser", "--ServerApp.port=none")

    assert ended.returncode == 2
    assert "'port' trait" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_its_extra_it_names_it(
    shell: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    ended = call("lab")

    assert ended.returncode == 2
    assert "pip install 'aistrale-lab[notebook]'" in ended.stderr
    assert not (shell.folder / OWN_FOLDER).exists()


def test_a_file_is_no_folder(shell: Any, call: Call) -> None:
    pytest.importorskip("jupyterlab")
    (shell.folder / "taken").write_text("mine")
    ended = call("lab", "--dir", "taken")

    assert ended.returncode == 2
    assert "'taken' is not a folder" in ended.stderr


def test_a_copy_adds_what_is_missing_and_leaves_files_alone(tmp_path: Path) -> None:
    sets = tmp_path / "datasets"
    sets.mkdir()
    (sets / demo.PROMPT_SET).write_text("mine")
    (sets / "README.md").symlink_to(tmp_path / "nowhere")

    first = copy_shipped("datasets", tmp_path, "*.jsonl", "README.md")
    again = copy_shipped("datasets", tmp_path, "*.jsonl", "README.md")

    assert first.kept == first.differing == ("README.md", demo.PROMPT_SET)
    assert "units.jsonl" in first.copied
    assert again.copied == ()
    assert again.differing == first.differing
    assert set(again.kept) == {*first.copied, *first.kept}
    assert (sets / demo.PROMPT_SET).read_text() == "mine"
    assert not (sets / "README.md").exists()


def test_a_checkout_is_used_as_it_is() -> None:
    project = shipped("notebooks").parent

    found = copy_shipped("notebooks", project, "*.ipynb")

    assert (found.copied, found.differing) == ((), ())
    assert Path(FIRST).name in found.kept


def test_what_the_user_gives_comes_after_what_we_give(tmp_path: Path) -> None:
    pytest.importorskip("zmq")

    words = arguments(tmp_path, browser=False)

    assert "--LabApp.news_url=None" in words
    assert words[-1] == "--no-browser"
    assert not any("default_url" in word for word in words)
