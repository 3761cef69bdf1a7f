"""From words, Python and files to points: names, order, types, refusals."""

from pathlib import Path
from typing import Any

import pytest

from aistrale_lab.batch.grid import (
    BatchFile,
    load_file,
    make_points,
    parse_words,
    split_values,
)
from aistrale_lab.batch.parameters import Parameter, check_no_key
from aistrale_lab.errors import ConfigError, NotFoundError, ValidationError

KNOWN = [
    Parameter(name="model", kind="str", default="embedded/small"),
    Parameter(name="temperature", kind="float", default=0.0),
    Parameter(name="limit", kind="int", default=130),
    Parameter(name="stream", kind="bool", default=True),
    Parameter(name="stops", kind="list", default=[]),
    Parameter(name="seed", kind="", default=None),
]


def points(**asked: Any) -> list[dict[str, Any]]:
    return [point.parameters for point in make_points(BatchFile(**asked), KNOWN)]


def names(**asked: Any) -> list[str]:
    return [point.name for point in make_points(BatchFile(**asked), KNOWN)]


def test_words_are_multiplied_out_in_their_order() -> None:
    grid = parse_words(["model=a,b", "temperature=0,0.7"], KNOWN)

    found = make_points(BatchFile(grid=grid), KNOWN)

    assert [p.parameters for p in found] == [
        {"model": "a", "temperature": 0.0},
        {"model": "a", "temperature": 0.7},
        {"model": "b", "temperature": 0.0},
        {"model": "b", "temperature": 0.7},
    ]
    assert [p.name for p in found][1] == "a_temperature-0.7"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("model=1", ["1"]),
        ("limit=1,2", [1, 2]),
        ("temperature=1", [1.0]),
        ("stream=true,no", [True, False]),
        ('stops=["a","b"],[]', [["a", "b"], []]),
        ("seed=none,7,x", [None, 7, "x"]),
    ],
)
def test_a_word_becomes_what_its_parameter_takes(word: str, value: list[Any]) -> None:
    assert parse_words([word], KNOWN) == {word.partition("=")[0]: value}


def test_commas_inside_of_brackets_and_quotes_do_not_separate() -> None:
    assert split_values('[1,2],{"a": 1},"x,y",z') == [
        "[1,2]",
        '{"a": 1}',
        '"x,y"',
        "z",
    ]


def test_the_same_values_have_the_same_key_however_they_are_given() -> None:
    (plain,) = make_points(BatchFile(), KNOWN)
    (told,) = make_points(BatchFile(grid={"limit": [130]}), KNOWN)
    (other,) = make_points(BatchFile(grid={"limit": [131]}), KNOWN)

    assert plain.key == told.key != other.key


def test_points_of_a_file_come_after_its_grid_and_may_be_left_out() -> None:
    assert points(
        parameters={"limit": 10},
        grid={"model": ["a", "b"], "temperature": [0, 1]},
        points=[{"model": "c", "temperature": 0.5}],
        exclude=[{"model": "b", "temperature": 1}],
    ) == [
        {"limit": 10, "model": "a", "temperature": 0.0},
        {"limit": 10, "model": "a", "temperature": 1.0},
        {"limit": 10, "model": "b", "temperature": 0.0},
        {"limit": 10, "model": "c", "temperature": 0.5},
    ]


def test_an_override_changes_the_points_that_it_fits() -> None:
    found = points(
        grid={"model": ["a", "b"]},
        overrides=[{"where": {"model": "b"}, "set": {"limit": 5}}],
    )

    assert found == [{"model": "a"}, {"model": "b", "limit": 5}]


def test_names_are_given_made_by_a_template_or_of_what_differs() -> None:
    grid = {"model": ["openai/gpt-5", "b"], "limit": [5]}

    assert names(grid=grid) == ["openai-gpt-5", "b"]
    assert names(grid=grid, names="{limit}x{model}") == ["5xopenai-gpt-5", "5xb"]
    assert names(points=[{"name": "the one", "limit": 1}, {"limit": 2}]) == [
        "the-one",
        "limit-2",
    ]
    assert names() == ["point"]
    assert len(names(grid={"model": ["x" * 500, "y"]})[0]) == 100
    assert names(grid={"model": ["../../etc/passwd", "-rf"]}) == [
        "etc-passwd",
        "rf",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"grid": {"modle": ["a"]}}, "has no parameter 'modle'"),
        ({"grid": {"limit": ["a"]}}, "limit takes a int, not 'a'"),
        ({"grid": {"limit": [True]}}, "limit takes a int, not True"),
        ({"grid": {"temperature": [float("nan")]}}, "takes a float"),
        ({"grid": {"limit": []}}, "grid.limit has no value"),
        ({"grid": {"limit": [1, 1]}}, "two points have the same parameters"),
        ({"grid": {"limit": [1]}, "exclude": [{"limit": 1}]}, "every one is excluded"),
        ({"grid": {"model": ["a/b", "a-b"]}}, "two points would be called 'a-b'"),
        ({"grid": {"limit": list(range(200)), "seed": list(range(200))}}, "40,000"),
        ({"names": "{nothing}"}, "does not fit"),
    ],
)
def test_what_is_no_batch_is_refused_in_words(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        points(**asked)


def test_a_file_is_read_and_its_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "batch.yaml"
    path.write_text("notebook: x.ipynb\ngrid:\n  model: [a, b]\n")
    assert load_file(path).grid == {"model": ["a", "b"]}

    path.write_text("grid: 7\nwrong: 1\n")
    with pytest.raises(ValidationError, match=r"grid: .*; wrong: Extra"):
        load_file(path)
    path.write_text("grid: [")
    with pytest.raises(ValidationError, match="batch.yaml"):
        load_file(path)
    with pytest.raises(NotFoundError):
        load_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "name", ["api_key", "key", "openai_api_key", "HF_TOKEN", "secret", "password"]
)
def test_a_parameter_that_is_named_like_a_key_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="api_key_env"):
        check_no_key({name: "x"}, ())


@pytest.mark.parametrize("name", ["max_tokens", "tokens", "keys", "monkey", "token_s"])
def test_other_names_are_not(name: str) -> None:
    check_no_key({name: "x"}, ())


def test_a_value_that_is_a_known_key_is_refused_wherever_it_stands() -> None:
    with pytest.raises(ConfigError) as refused:
        check_no_key({"prompts": ["say own-key-7"]}, ("own-key-7",))

    assert "own-key-7" not in str(refused.value)
