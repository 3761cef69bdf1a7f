"""What the words of a command line mean."""

from pathlib import Path
from typing import Any

import pytest

from aistrale_lab.lab.words import given, parse_params, parse_tags, read_text
from aistrale_lab.errors import ConfigError, PromptError


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("temperature=0", (0,)),
        ("temperature=0,0.7", (0, 0.7)),
        ("logprobs=true", (True,)),
        ("reasoning_effort=low,high", ("low", "high")),
        ('stop_sequences=["a,b","c"]', (["a,b", "c"],)),
        ('stop_sequences=["a"],["b"]', (["a"], ["b"])),
        ('response_format={"type":"json_object"}', ({"type": "json_object"},)),
        ('extra.note="a, b",c', ("a, b", "c")),
        ('extra.note="say \\"a, b\\""', ('say "a, b"',)),
        ('extra.note=5" pipe,7" pipe', ('5" pipe', '7" pipe')),
        ('extra.note=""', ("",)),
        ("extra.note=a=b", ("a=b",)),
        ("temperature=NaN", ("NaN",)),
        ("temperature=-Infinity", ("-Infinity",)),
        ("extra.open=[1", ("[1",)),
        ("extra.id=12345678901234567890123", (12345678901234567890123,)),
    ],
)
def test_a_parameter_holds_json_where_it_can(word: str, values: tuple[Any]) -> None:
    assert list(parse_params([word]).values()) == [values]


def test_true_and_1_are_two_values() -> None:
    assert parse_params(["extra.flag=true,1"]) == {"extra.flag": (True, 1)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["temperature"], "KEY=VALUE"),
        (["=1"], "KEY=VALUE"),
        (["temperature="], "empty value"),
        (["temperature=0,,1"], "empty value"),
        (["temperature=0,0"], "same value twice"),
        (["seed=1", "seed=2"], "--param seed=A,B"),
    ],
)
def test_a_broken_parameter_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_params(words)


def test_tags_are_text() -> None:
    assert parse_tags(["team=7", "why=a=b", "empty="]) == {
        "team": "7",
        "why": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("words", [["team"], ["=x"], ["a=1", "a=2"]])
def test_a_broken_tag_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="--tag"):
        parse_tags(words)


def test_a_text_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Réponds: {{ input }}\n", encoding="utf-8-sig")

    assert read_text(f"@{file}", option="--prompt") == "Réponds: {{ input }}\n"


def test_two_at_signs_are_a_plain_one() -> None:
    assert read_text("@@home {{ input }}", option="--prompt") == "@home {{ input }}"


def test_a_prompt_file_that_is_absent_is_named() -> None:
    with pytest.raises(PromptError, match="--system @absent.txt: No such file"):
        read_text("@absent.txt", option="--system")


def test_a_prompt_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(b"caf\xe9")

    with pytest.raises(PromptError, match="not UTF-8"):
        read_text(f"@{file}", option="--prompt")


def test_what_was_not_given_keeps_its_default() -> None:
    assert given(retries=0, rpm=None, stream=False) == {"retries": 0, "stream": False}
