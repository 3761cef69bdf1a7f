"""Bad usage and bad input: one clear line, exit code 2, and nothing is sent."""

from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
from servers.acted import ActedServer

Call = Callable[..., CompletedProcess[str]]

BROKEN = {
    "line.jsonl": b'{"input": "a"}\n' * 6 + b'{"input": \n',
    "twice.jsonl": b'{"id": "x", "input": "a"}\n{"id": "x", "input": "b"}\n',
    "empty.jsonl": b"",
    "blank.jsonl": b'{"input": "  "}\n',
    "latin.jsonl": b'{"input": "caf\xe9"}\n',
    "foreign.jsonl": b'{"question": "a", "answer": "b"}\n',
}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Usage"),
        (["bogus"], "No such command 'bogus'"),
        (["run"], "Missing argument 'DATASET'"),
        (["run", "sums.jsonl"], "Missing option '--model'"),
        (["run", "sums.jsonl", "-m", "openai/right", "--epochs", "0"], "--epochs"),
        (["run", "sums.jsonl", "-m", "openai/right", "--bogus"], "--bogus"),
        (["run", "sums.jsonl", "-m", "right"], "provider/model"),
        (["run", "sums.jsonl", "-m", "bogus/m"], "known providers: embedded"),
        (["run", "absent.jsonl", "-m", "openai/right"], "absent.jsonl"),
        (["show", "absent"], "`aistrale runs` lists them"),
        (["show", ""], "no run is named"),
        (["resume", "absent"], "`aistrale runs` lists them"),
        (["resume", " "], "no run is named"),
        (["export", "", "x.csv"], "no run is named"),
        (["score", "absent"], "no scorer is named"),
        (["score", "absent", "--scorer", "number"], "there is no run 'absent'"),
        (["runs", "--store", ""], "--store is empty"),
        (["runs", "--store", "mysql://host/x"], "possible: sqlite"),
        (["runs", "--store", "s.db"], "malformed (meant sqlite:///s.db?)"),
        (["doctor", "--store", "s.db"], "malformed (meant sqlite:///s.db?)"),
        (["db", "upgrade", "--store", "s.db"], "malformed (meant sqlite:///s.db?)"),
        (["embedded", "--port", "99999"], "--port"),
        (["lab", "absent-folder"], "absent-folder"),
    ],
)
def test_bad_usage_ends_with_2(
    shell: Any, call: Call, words: list[str], said: str
) -> None:
    shell.questions(2)
    ended = call(*words)

    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scorer", "bogus"], "known scorers: bleu"),
        (["--scorer", "pattern"], "pattern:ARG"),
        (["--scorer", "pattern:("], "pattern"),
        (["--param", "temprature=0"], "known parameters: "),
        (["--param", "temperature=hot"], "temperature"),
        (["--param", "temperature=0,hot"], "temperature"),
        (["--param", "temperature"], "KEY=VALUE"),
        (["--tag", "who"], "KEY=VALUE"),
        (["--prompt", "{{ question }}"], "question"),
        (["--prompt", "{{ input"], "template"),
        (["--prompt", "@absent.txt"], "--prompt @absent.txt: No such file"),
        (["--system", "{{ nobody }}"], "nobody"),
        (["--input", "nowhere"], "nowhere"),
        (["--concurrency", "0"], "concurrency"),
        (["--timeout", "-1"], "timeout"),
        (["--budget", "lots"], "budget"),
        (["--budget", "1"], "price"),
        (["-m", "openai/right"], "twice"),
    ],
)
def test_a_bad_option_of_run_ends_with_2(
    shell: Any, call: Call, server: ActedServer, words: list[str], said: str
) -> None:
    ended = call("run", shell.questions(2), "-m", "openai/right", *words)

    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not server.calls


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("line.jsonl", "7"),
        ("twice.jsonl", "'x'"),
        ("empty.jsonl", "empty.jsonl"),
        ("blank.jsonl", "blank.jsonl"),
        ("latin.jsonl", "UTF-8"),
        ("foreign.jsonl", "question"),
    ],
)
def test_a_broken_prompt_set_ends_with_2(
    shell: Any, call: Call, server: ActedServer, name: str, said: str
) -> None:
    (shell.folder / name).write_bytes(BROKEN[name])
    ended = call("run", name, "-m", "openai/right")

    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert not server.calls


def test_a_prompt_set_with_a_byte_order_mark_is_read(
    shell: Any, call: Call, server: ActedServer
) -> None:
    for name, encoding in (("8.jsonl", "utf-8-sig"), ("16.jsonl", "utf-16")):
        text = '{"input": "What is 1 and 2 ?", "target": "3"}\n'
        (shell.folder / name).write_text(text, encoding=encoding)
        ended = call("run", name, "-m", "openai/right", "--scorer", "number")

        assert ended.returncode == 0, ended.stderr
        assert "100.0 %" in ended.stdout


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OPENAI_API_KEY", "sk-SECRET\n", "OPENAI_API_KEY"),
        ("OPENAI_API_KEY", "sk-SECRETé", "OPENAI_API_KEY"),
        ("OPENAI_BASE_URL", "http://user:SECRET@host/v1", "OPENAI_BASE_URL"),
        ("OPENAI_BASE_URL", "http://host/v1?api_key=SECRET", "OPENAI_BASE_URL"),
        ("AISTRALE_STORE", "nonsense", "malformed"),
    ],
)
def test_a_bad_setting_ends_with_2_and_stays_secret(
    shell: Any, call: Call, variable: str, value: str, said: str
) -> None:
    words = ["run", shell.questions(1), "-m", "openai/right"]
    ended = call(*words, **{variable: value})

    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert "SECRET" not in ended.stderr


def test_a_missing_key_names_the_variable_and_the_keyless_way(
    shell: Any, call: Call
) -> None:
    del shell.environment["OPENAI_API_KEY"]
    ended = call("run", shell.questions(1), "-m", "openai/right")

    assert ended.returncode == 2
    assert "OPENAI_API_KEY is not set" in ended.stderr
    assert "embedded/nearest" in ended.stderr


def test_a_broken_settings_file_is_named(shell: Any, call: Call) -> None:
    (shell.folder / "aistrale.toml").write_text("[providers.x]\nbogus = 1\n")
    ended = call("runs")

    assert ended.returncode == 2
    assert "aistrale.toml: providers.x.bogus" in ended.stderr
