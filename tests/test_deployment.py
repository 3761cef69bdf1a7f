"""What `deploy/` holds is well-formed, and names what is there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from servers.postgres import Postgres
from test_readme import BLOCKS, FILES, ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def check_schema(file: Path, schema: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema"]
    return subprocess.run(
        [*command, "--builtin-schema", f"vendor.{schema}", file],
        capture_output=True,
        text=True,
    )


def test_the_dockerfile_has_no_fault() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile"],
        capture_output=True,
        text=True,
    )

    assert found.returncode == 0, found.stdout + found.stderr


def test_the_dockerfile_copies_what_is_there_and_installs_extras_that_exist() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    (extras,) = re.findall(r'"\.\[(.+)\]"', DOCKERFILE)

    assert all((ROOT / name).exists() for line in copied for name in line.split())
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_holds_the_versions_of_the_lock_file(tmp_path: Path) -> None:
    (script,) = re.findall(r"(sed -n .+) > versions\.txt", DOCKERFILE)
    listed = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    locked = {line.split(";")[0].strip() for line in listed.splitlines()}

    for name in ("aiohttp", "argon2-cffi", "psycopg", "uvicorn"):
        assert f"{name}=={distribution(name).version}" in locked
    assert "hash" not in listed


def test_the_compose_file_keeps_the_schema_of_compose() -> None:
    found = check_schema(DEPLOY / "compose.yaml", "compose-spec")

    assert found.returncode == 0, found.stdout + found.stderr


def test_a_fault_in_a_compose_file_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "compose.yaml"
    broken.write_text("services: {bench: {imagen: postgres}}")

    assert check_schema(broken, "compose-spec").returncode == 1


def test_the_proxy_whom_the_server_believes_stands_in_its_network() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (subnet,) = compose["networks"]["inside"]["ipam"]["config"]
    bench = compose["services"]["bench"]

    assert bench["environment"]["AISTRALE_TRUSTED_PROXIES"] == f'["{subnet["subnet"]}"]'
    assert "ports" not in bench  # only by the proxy
    assert f"--to bench:{_port()}" in compose["services"]["proxy"]["command"]


def test_the_workflow_of_the_readme_keeps_githubs_schema(tmp_path: Path) -> None:
    workflow = tmp_path / "nightly.yml"
    workflow.write_text(FILES[".github/workflows/nightly.yml"])

    found = check_schema(workflow, "github-workflows")

    assert found.returncode == 0, found.stdout + found.stderr


def test_the_unit_starts_the_server_and_holds_no_key() -> None:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "aistrale.service")
    words = unit["Service"]["ExecStart"].split()
    known = subprocess.run(
        [sys.executable, "-m", "aistrale_lab", "serve", "--help"],
        capture_output=True,
        text=True,
    )

    assert words[0].endswith("/bin/aistrale") and words[1] == "serve"
    assert {word for word in words if word.startswith("--")} <= set(
        re.findall(r"--[a-z-]+", known.stdout)
    )
    assert unit["Service"]["NoNewPrivileges"] == "true"
    assert "Environment" not in unit["Service"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="this machine has no systemd"
)
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "aistrale.service").read_text()
    unit = unit.replace("/opt/aistrale/bin/aistrale", shutil.which("true") or "")
    unit = unit.replace("User=aistrale\n", "User=root\n")
    (tmp_path / "aistrale.service").write_text(unit)

    found = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "aistrale.service"],
        capture_output=True,
        text=True,
    )

    assert (found.returncode, found.stderr) == (0, "")


def shell(script: str, **environment: str) -> str:
    """What a script printed, with `aistrale` on its path; it must not fail."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["sh", "-e", "-c", script],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_three_lines_of_the_readme_back_up_and_restore(
    postgres: Postgres, tmp_path: Path
) -> None:
    (lines,) = [block for _, block in BLOCKS if block.startswith("pg_dump")]
    dump, rest = lines.split("\n", 1)
    go = f'cd {tmp_path}; PATH="{postgres.programs}:$PATH"\n'
    before, after = postgres.make_database(), postgres.make_database()
    asked = f"aistrale run {ROOT}/datasets/arithmetic.jsonl -m embedded/constant"

    shell(f"{asked} --limit 5 --quiet\n{go}{dump}", AISTRALE_STORE=before)
    said = shell(f"{go}{rest}", AISTRALE_STORE=after)

    assert "the newest" in said
    kept, restored = (
        json.loads(shell("aistrale runs --json", AISTRALE_STORE=url))
        for url in (before, after)
    )
    assert restored == kept
    assert restored[0]["completed"] == 5


def _port() -> str:
    (port,) = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)
    return str(port)
