"""`report`: the command that writes an experiment as one file."""

import json
from typing import Any

import pytest


@pytest.fixture
def experiment(shell: Any, call: Any, server: Any) -> str:
    words = ("-m", "openai/right", "-m", "openai/picky", "--scorer", "number")
    ended = call("run", shell.questions(20), *words, "--json")
    found: str = json.loads(ended.stdout)["experiment_id"]
    return found


def test_it_writes_a_page_and_says_where(
    shell: Any, call: Any, experiment: str
) -> None:
    ended = call("report", experiment, "--to", "report.html", "--title", "Who adds?")

    page = (shell.folder / "report.html").read_text()
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "the report is written to report.html: " in ended.stderr
    assert "<h1>Who adds?</h1>" in page and "openai/right" in page


def test_a_run_stands_for_its_experiment_and_json_tells_the_size(
    shell: Any, call: Any, experiment: str
) -> None:
    runs = json.loads(call("runs", "--json").stdout)

    ended = call("report", runs[0]["run_id"], "--to", "report.md", "--json")

    size = (shell.folder / "report.md").stat().st_size
    assert json.loads(ended.stdout) == {"file": "report.md", "bytes": size}
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("none", "--to", "r.html"), 2, "no run 'none'"),
        (("", "--to", "r.html"), 2, "no run is named"),
        (("{experiment}", "--to", "r.pdf"), 2, "known suffixes: .html, .md"),
        (("{experiment}", "--to", "none/r.html"), 5, "cannot be written"),
        (("{experiment}",), 2, "--to"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    shell: Any, call: Any, experiment: str, words: Any, code: int, told: str
) -> None:
    asked = [word.format(experiment=experiment) for word in words]

    ended = call("report", *asked)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in ended.stderr and "Traceback" not in ended.stderr
    assert not list(shell.folder.glob("r.*"))


def test_an_unknown_suffix_is_refused_before_a_store_is_made(
    shell: Any, call: Any
) -> None:
    ended = call("report", "any", "--to", "r.txt", "--store", "sqlite:///new.db")

    assert ended.returncode == 2
    assert not (shell.folder / "new.db").exists()
