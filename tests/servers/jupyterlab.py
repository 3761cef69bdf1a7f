"""A real JupyterLab on loopback, and a notebook of it in a real Chromium."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Request

START_SECONDS = 60.0
LOOPBACK = ("127.0.0.1", "localhost")

OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


class JupyterLab:
    """A server in a folder of its own; `url` is where a browser begins."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._log = folder / "jupyterlab.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "JupyterLab":
        settings = self.folder / "jupyter" / "app-settings"
        settings.mkdir(parents=True)
        (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
        words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        words += [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"]
        words += [f"--IdentityProvider.token={self.token}", "--ServerApp.ip=127.0.0.1"]
        words += [f"--ServerApp.root_dir={self.folder}", "--LabApp.news_url=None"]
        words += [f"--LabServerApp.app_settings_dir={settings}"]
        words += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        words += ["--LabApp.extension_manager=readonly"]
        words += ["--LabApp.expose_app_in_browser=True"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                words,
                env=self._make_environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def _make_environment(self) -> dict[str, str]:
        """The caller's, with homes of its own: nobody's settings, nobody's keys."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENAI", "HF_", "JUPYTER", "AISTRALE"))
        }
        homes = {
            "HOME": "home",
            "JUPYTER_CONFIG_DIR": "jupyter/config",
            "JUPYTER_DATA_DIR": "jupyter/data",
            "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
            "IPYTHONDIR": "ipython",
            "XDG_CONFIG_HOME": "config",
        }
        for place in homes.values():
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        own = {name: str(self.folder / place) for name, place in homes.items()}
        return {**kept, **own, "PYTHONWARNINGS": "ignore", **self._environment}

    def _await_answer(self) -> None:
        assert self._process is not None
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/api", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start: {self._log.read_text()[-3000:]}")


class Notebook:
    """One notebook, open in a page: cells are counted from 0, code cells only."""

    def __init__(self, page: Page, server: JupyterLab) -> None:
        self.page = page
        self.server = server
        self.problems: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"page: {error}"))
        page.on("dialog", lambda dialog: self._alerted(dialog))
        page.on("request", self._requested)

    def open(self, name: str) -> None:
        """Open a notebook alone in the window, and wait for its kernel."""
        self.page.goto(
            f"{self.server.url}/doc/tree/{name}?token={self.server.token}&reset"
        )
        self.page.locator(".jp-Notebook").wait_for()
        self._await_idle()

    def clear(self) -> None:
        """No output is left of an earlier time."""
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute"
            "('notebook:clear-all-cell-outputs')"
        )
        self.page.locator(".jp-OutputArea-output").first.wait_for(state="detached")

    def shut_down(self) -> None:
        """End the kernel, as a person does who is done."""
        self.page.evaluate(
            "async () => { const n = window.jupyterapp?.shell.currentWidget;"
            " await n?.context.sessionContext.shutdown(); }"
        )
        self.page.close()

    def reload(self) -> None:
        """Save, and load the page anew: the kernel lives on."""
        self.save()
        self.page.reload()
        self.page.locator(".jp-Notebook").wait_for()
        self._await_idle()

    def evaluate(self, number: int, code: str) -> str:
        """Run code in the place of a cell's; what it prints or shows, as text."""
        self.write(number, code)
        self.run(number)
        return self.output(number).inner_text().strip()

    def cell(self, number: int) -> Locator:
        """A code cell."""
        found = self.page.locator(".jp-CodeCell").nth(number)
        found.scroll_into_view_if_needed()
        return found

    def output(self, number: int) -> Locator:
        """What a code cell shows."""
        return self.page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea")

    def run(self, number: int, *, wait: bool = True) -> None:
        """Click into a code cell and press Shift+Enter."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        if wait:
            self.await_run(number)

    def await_run(self, number: int, seconds: float = 60) -> None:
        """Until the cell has its number."""
        prompt = self.page.locator(".jp-CodeCell").nth(number)
        prompt.locator(".jp-InputPrompt:text-matches('\\\\[\\\\d+\\\\]')").wait_for(
            timeout=1000 * seconds
        )

    def write(self, number: int, code: str) -> None:
        """Put code in the place of a cell's."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)

    def save(self) -> dict[str, Any]:
        """Save, and give what is on disk."""
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('docmanager:save')"
        )
        name = urlsplit(self.page.url).path.partition("/tree/")[2]
        path = self.server.folder / name
        saved: dict[str, Any] = json.loads(path.read_text())
        return saved

    def saved_html(self, number: int, wanted: str) -> str:
        """The HTML that a cell's only output has on disk, once it holds the text.

        A widget writes its twin anew a moment after what is seen has changed.
        """
        html = ""
        for _ in range(20):
            (output,) = self.save()["cells"][number]["outputs"]
            html = "".join(output["data"]["text/html"])
            if wanted in html:
                break
            self.page.wait_for_timeout(250)
        return html

    def restart_kernel(self) -> None:
        """A new kernel, as after a crash: outputs stay, variables go."""
        self.page.evaluate(
            "async () => { const n = window.jupyterapp.shell.currentWidget;"
            " await n.context.sessionContext.session.kernel.restart(); }"
        )
        self._await_idle()

    def theme(self, dark: bool) -> None:
        """JupyterLab's own dark or light theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute"
            "('apputils:change-theme', {theme: name})",
            name,
        )
        light = "false" if dark else "true"
        body = self.page.locator(f'body[data-jp-theme-light="{light}"]')
        body.wait_for(state="attached")

    def _await_idle(self) -> None:
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext"
            "?.session?.kernel?.status === 'idle'",
            timeout=20_000,
        )

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location})")

    def _alerted(self, dialog: Any) -> None:
        if dialog.type == "beforeunload":  # the notebook was not saved
            dialog.accept()
            return
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss"):
            if parts.hostname not in LOOPBACK:
                self.problems.append(f"request to {parts.hostname}: {request.url}")


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells."""
    code = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": [{**code, "id": f"c{n}", "source": s} for n, s in enumerate(cells)],
    }
    path.write_text(json.dumps(notebook))


OpenNotebook = Callable[[str], Notebook]
"""Opens a notebook of the server, by its path there, in a page of its own."""


@contextmanager
def workbench(folder: Path, **environment: str) -> Iterator[JupyterLab]:
    """A server over a copy of this project's notebooks and datasets."""
    project = Path(__file__).parents[2]
    for name in ("notebooks", "datasets"):
        shutil.copytree(project / name, folder / name)
    with JupyterLab(folder, **environment) as server:
        yield server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
