"""`push` and `pull`: experiments of one store in another, counted, once."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

from servers.acted import ActedServer

Call = Callable[..., CompletedProcess[str]]

TEAM = "sqlite:///team.db"


def made(shell: Any, call: Call, name: str = "sums", questions: int = 4) -> str:
    """The id of an experiment in the default store."""
    words = ("-m", "openai/right", "--scorer", "number", "--name", name, "--json")
    said = json.loads(call("run", shell.questions(questions), *words).stdout)
    return str(said["experiment_id"])


def test_a_push_is_counted_and_a_second_inserts_nothing(
    shell: Any, call: Call, server: ActedServer
) -> None:
    experiment = made(shell, call)

    first, second = (
        json.loads(call("push", "--to", TEAM, "--json").stdout) for _ in range(2)
    )

    assert first["experiments"] == [
        {
            "experiment_id": experiment,
            "name": "sums",
            "datasets": 1,
            "experiments": 1,
            "runs": 1,
            "results": 4,
            "replaced": 0,
            "attempts": 0,
            "scores": 4,
            "inserted": 11,
        }
    ]
    assert (first["inserted"], second["inserted"]) == (11, 0)
    assert second["to"] == TEAM


def test_what_was_pulled_is_shown_as_it_was(
    shell: Any, call: Call, server: ActedServer
) -> None:
    experiment = made(shell, call, questions=6)

    pulled = call("pull", "--from", "sqlite:///aistrale.db", "--store", TEAM)
    shown = [
        json.loads(call("show", experiment, "--json", "--store", url).stdout)
        for url in ("sqlite:///aistrale.db", TEAM)
    ]

    assert pulled.returncode == 0
    assert "1 experiments, 15 rows inserted" in pulled.stderr
    assert experiment in pulled.stdout
    assert shown[0] == shown[1]


def test_only_what_is_named_is_pushed(
    shell: Any, call: Call, server: ActedServer
) -> None:
    made(shell, call, "first")
    second = made(shell, call, "second")

    pushed = call("push", second, "--to", TEAM, "--json", "--quiet")
    listed = json.loads(call("runs", "--json", "--store", TEAM).stdout)

    assert [one["name"] for one in json.loads(pushed.stdout)["experiments"]] == [
        "second"
    ]
    assert [run["name"] for run in listed] == ["second"]
    assert pushed.stderr == ""


def test_nothing_is_pushed_if_one_is_not_there(
    shell: Any, call: Call, server: ActedServer
) -> None:
    experiment = made(shell, call)

    ended = call("push", experiment, "zzz", "--to", TEAM)

    assert ended.returncode == 2
    assert "there is no experiment 'zzz'" in ended.stderr
    assert json.loads(call("runs", "--json", "--store", TEAM).stdout) == []


def test_a_store_is_not_pushed_into_itself(call: Call) -> None:
    ended = call("push", "--to", "sqlite:///aistrale.db")

    assert ended.returncode == 2
    assert "is the one that is open" in ended.stderr


def test_urls_that_are_none_are_refused(call: Call) -> None:
    for url in ("", "team.db", "mysql://team"):
        ended = call("push", "--to", url)
        assert (ended.returncode, ended.stdout) == (2, "")


def test_a_store_that_cannot_be_used_ends_with_five(call: Call) -> None:
    ended = call("pull", "--from", "sqlite:////nowhere/team.db")

    assert ended.returncode == 5
    assert "'/nowhere' does not exist" in ended.stderr
