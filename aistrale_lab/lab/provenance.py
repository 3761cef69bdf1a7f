"""Where a run came from: code, packages, machine and person."""

import getpass
import os
import platform
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PACKAGES = (
    "aistrale-lab",
    "aiohttp",
    "genai-prices",
    "httpx2",
    "huggingface-hub",
    "jinja2",
    "numpy",
    "openai",
    "pydantic",
    "rapidfuzz",
    "sacrebleu",
    "sqlalchemy",
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def provenance(folder: Path | None = None) -> dict[str, Any]:
    """What a reader needs to repeat a run; unknown entries are None."""
    return {
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "user": _user(),
        "proxies": _proxies(),
        **_git(folder or Path.cwd()),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _proxies() -> dict[str, str]:
    """The proxy variables that are set; of a URL only scheme, host and port."""
    found = {}
    for name in PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            found[name] = value if name == "NO_PROXY" else _without_secret(value)
    return found


def _without_secret(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port}"
    except ValueError:
        return "malformed"


def _git(folder: Path) -> dict[str, Any]:
    commit = _ask_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {"git_commit": None, "git_dirty": None}
    changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": bool(changes)}


def _ask_git(folder: Path, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
