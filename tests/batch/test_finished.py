"""What batches leave that came to their end: two of them serve the tests of this file."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest
from servers.batches import ASK, BatchFolder, text_of, write_batch_notebook
from servers.recorded import RecordedServer, doubling_server

from tests.batch.conftest import batch_folder

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("finished batches")]

GRID = ("-p", "model=openai/large,openai/small", "-p", "temperature=0,1")


@dataclass(frozen=True)
class Finished:
    """A batch that came to its end: what it told, and the calls that it took."""

    folder: BatchFolder
    server: RecordedServer
    told: dict[str, Any]
    calls: int


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    with doubling_server() as server:
        folder = batch_folder(tmp_path_factory.mktemp("grid"), server)
        ended = folder.run(*GRID, "--json", "--jobs", "2")
        assert ended.returncode == 0, ended.stderr
        yield Finished(folder, server, json.loads(ended.stdout), server.calls.total())


def test_a_grid_is_one_experiment_and_a_second_call_sends_nothing(
    grid: Finished,
) -> None:
    again = grid.folder.run(*GRID, "--json")

    told = grid.told
    assert len(told["experiment_ids"]) == 1
    assert [point["status"] for point in told["points"]] == ["completed"] * 4
    runs = [run for point in told["points"] for run in point["runs"]]
    assert [run["metrics"]["number"]["value"] for run in runs] == [1, 1, 0.05, 0.05]
    assert {run["params"]["temperature"] for run in runs} == {0.0, 1.0}
    assert grid.calls == 80 and grid.server.calls.total() == 80
    assert again.returncode == 0
    assert json.loads(again.stdout)["experiment_ids"] == told["experiment_ids"]
    assert sorted(grid.folder.outputs()) == [
        "openai-large_temperature-0",
        "openai-large_temperature-1",
        "openai-small_temperature-0",
        "openai-small_temperature-1",
    ]
    assert grid.folder.leftovers() == []
    assert told["index"] is None, "no pages were asked for"


def test_an_output_notebook_tells_its_parameters_runs_and_store(grid: Finished) -> None:
    (run,) = grid.told["points"][1]["runs"]
    notebook = grid.folder.outputs()["openai-large_temperature-1"]
    injected = [c for c in notebook["cells"] if "injected" in str(c["metadata"])]
    given = 'model = "openai/large"\ntemperature = 1.0\n'
    assert "".join(injected[0]["source"]).endswith(given)
    assert notebook["metadata"]["aistrale"]["run_ids"] == [run["run_id"]]
    last = "".join(notebook["cells"][-1]["source"])
    assert run["run_id"] in last and "(../store.db)" in last
    with sqlite3.connect(grid.folder.store) as store:
        query = "SELECT origin FROM runs WHERE id = ?"
        (origin,) = store.execute(query, (run["run_id"],)).fetchone()
    told = json.loads(origin)
    assert told["notebook"] == str(grid.folder.notebook)
    assert (told["cell_id"], told["in_order"]) == ("c1", True)
    assert told["execution_count"] == 3, "after the parameters, given and injected"
    assert told["parameters"] == {"model": "openai/large", "temperature": 1.0}


def test_gates_and_junit_say_which_point_does_not_hold(grid: Finished) -> None:
    folder = grid.folder
    junit = folder.folder / "junit.xml"

    met = folder.run(*GRID, "--require", "number >= 0")
    unmet = folder.run(*GRID, "--require", "number >= 0.8", "--junit", str(junit))
    unknown = folder.run(*GRID, "--require", "numbr >= 0.8")

    assert met.returncode == 0
    assert unmet.returncode == 1
    assert "openai/small has 0.050 [0.009, 0.236]" in unmet.stderr
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("8", "2")
    assert (unknown.returncode, "number" in unknown.stderr) == (2, True)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Three points: one without fault, one whose cell raises, one nobody answers."""
    broken = 'assert model != "openai/small", "another model"'
    with doubling_server() as server:
        folder = batch_folder(tmp_path_factory.mktemp("failing"), server)
        write_batch_notebook(folder.notebook, ASK, broken)
        models = "model=openai/large,openai/small,openai/nobody"
        ended = folder.run("-p", models, "--json")
        assert ended.returncode == 3, ended.stderr
        yield Finished(folder, server, json.loads(ended.stdout), server.calls.total())


def test_a_cell_that_raises_fails_its_point_alone(failing: Finished) -> None:
    first, second, _ = failing.told["points"]

    assert (first["status"], second["status"]) == ("completed", "failed")
    assert second["reason"] == "cell 4: AssertionError: another model"
    shown = text_of(failing.folder.outputs()["openai-small"]["cells"])
    assert "AssertionError" in shown


def test_samples_that_fail_fail_their_point(failing: Finished) -> None:
    dead = failing.told["points"][2]

    assert dead["status"] == "failed"
    assert "openai/nobody is failed" in dead["reason"]
