"""The file of a report: its name, its place, and when it appears."""

from pathlib import Path

import pytest

import aistrale_lab as lab
from aistrale_lab.domain.tasks import Task
from aistrale_lab.errors import ConfigError, StoreError
from aistrale_lab.lab.experiment import Experiment
from aistrale_lab.report import write_report


@pytest.fixture
def experiment(bench: lab.Lab, task: Task) -> Experiment:
    return bench.start(task, "openai/large").wait(30)


@pytest.mark.parametrize("name", ["report.html", "REPORT.MD", "a b&c.html"])
def test_the_suffix_chooses_the_form(
    experiment: Experiment, tmp_path: Path, name: str
) -> None:
    written = write_report(experiment, str(tmp_path / name), title="T")

    content = (tmp_path / name).read_bytes()
    assert len(content) == written
    assert content.startswith(b"# T\n" if "MD" in name else b"<!doctype html>")


def test_a_file_that_is_there_is_replaced(
    experiment: Experiment, tmp_path: Path
) -> None:
    file = tmp_path / "report.md"
    file.write_text("old")

    write_report(experiment, file)

    assert file.read_text().startswith("# doubles")
    assert [path.name for path in tmp_path.glob("*report*")] == ["report.md"]


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz"])
def test_an_unknown_suffix_is_refused_with_those_there_are(
    experiment: Experiment, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"known suffixes: \.html, \.md"):
        write_report(experiment, tmp_path / name)

    assert not (tmp_path / name).exists()


def test_a_report_that_fails_leaves_what_was_there(
    bench: lab.Lab, tmp_path: Path
) -> None:
    file = tmp_path / "report.md"
    file.write_text("old")
    gone = Experiment(bench._store, "no such experiment")

    with pytest.raises(lab.LabError):
        write_report(gone, file)

    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*report*")] == ["report.md"]


def test_a_folder_that_is_not_there_is_said(
    experiment: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(experiment, tmp_path / "none" / "report.html")
