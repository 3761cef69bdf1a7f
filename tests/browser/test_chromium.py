"""`make test` finds a Chromium, or says clearly that there is none and what to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("chromium.sh")
TOOLS = ("sh", "id", "rm", "tail", "cat", "env")
NOWHERE = "http://127.0.0.1:1"


def look(tmp_path: Path, *tools: str, **environment: str) -> tuple[Path, str]:
    """Run the script where only these tools are; the file that it writes, its words."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (*TOOLS, *tools):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    file = tmp_path / "chromium"
    homes = {"HOME": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "none")}
    ended = subprocess.run(
        ["sh", str(SCRIPT), sys.executable, str(file)],
        env={"PATH": str(folder), **homes, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0
    return file, ended.stderr


def test_the_browser_that_is_named_is_taken(tmp_path: Path, chromium: str) -> None:
    file, said = look(tmp_path, CHROMIUM=chromium)

    assert file.read_text().strip() == chromium
    assert said == ""


def test_without_a_way_to_install_one_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "chromium").write_text("/gone/chromium")

    file, said = look(tmp_path, PLAYWRIGHT_DOWNLOAD_HOST=NOWHERE)

    assert not file.exists()
    assert "Installing Chromium with playwright" in said
    assert "There is no Chromium that starts" in said
    assert "-m playwright install chromium" in said
    assert "CHROMIUM=/path/to/chromium make test" in said


@pytest.mark.skipif(
    shutil.which("apt-get") is None or os.geteuid() != 0, reason="Debian's root"
)
def test_debians_root_is_told_what_apt_get_could_not_do(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{tmp_path}/none.list";\n'
        f'Dir::Etc::SourceParts "{tmp_path}/none.d";\n'
        f'Dir::State::Lists "{tmp_path}/lists";\n'
        f'Dir::Cache "{tmp_path}";\n'
        'Dir::State::Status "/dev/null";\n'
    )

    file, said = look(tmp_path, "apt-get", APT_CONFIG=str(tmp_path / "apt.conf"))

    assert not file.exists()
    assert "Installing Chromium with apt-get" in said
    assert "Debian, as root:  apt-get install chromium" in said
    assert "chromium" in said.rpartition("What was tried")[2]


def test_a_browser_that_does_not_start_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'libnss3.so: cannot open' >&2\nexit 127\n")
    broken.chmod(0o755)

    file, said = look(tmp_path, CHROMIUM=str(broken), PLAYWRIGHT_DOWNLOAD_HOST=NOWHERE)

    assert not file.exists()
    assert "There is no Chromium that starts" in said
    log = Path(f"{file}.log").read_text()
    assert "libnss3.so: cannot open" in log
