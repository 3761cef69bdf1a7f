"""The prompt sets of this project: complete, balanced, and right."""

import re
from collections import Counter
from pathlib import Path

import pytest

from aistrale_lab.domain.tasks import Dataset
from aistrale_lab.engine.datasets import load_dataset
from aistrale_lab.scorers.base import check_targets, make_scorers

FOLDER = Path(__file__).parents[1] / "datasets"
SCORERS = {
    "arithmetic": "number",
    "extraction": "json",
    "multiple_choice": "choice",
    "sentiment": "exact",
    "skills": "exact",
    "units": "number",
}


@pytest.fixture(params=sorted(SCORERS))
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return load_dataset(FOLDER / f"{request.param}.jsonl")


def test_every_file_is_told_of_in_the_readme() -> None:
    told = (FOLDER / "README.md").read_text()
    files = {path.stem for path in FOLDER.glob("*.jsonl")}

    assert files == set(SCORERS)
    for name in files:
        samples = len(load_dataset(FOLDER / f"{name}.jsonl"))
        assert f"| `{name}.jsonl` | {samples} | `{SCORERS[name]}` |" in told


def test_sizes_and_inputs(dataset: Dataset) -> None:
    assert len(dataset) >= 50
    assert len({sample.input for sample in dataset}) == len(dataset)
    assert all(sample.group for sample in dataset)


def test_every_target_suits_its_scorer(dataset: Dataset) -> None:
    check_targets(make_scorers([SCORERS[dataset.name]]), dataset)


def test_a_prefix_holds_every_group(dataset: Dataset) -> None:
    groups = {sample.group for sample in dataset}

    assert {sample.group for sample in dataset.samples[:20]} == groups


def test_arithmetic_is_right_wherever_it_is_an_expression() -> None:
    checked = 0
    for sample in load_dataset(FOLDER / "arithmetic.jsonl"):
        words = sample.input_text.replace("divided by", "/").replace("times", "*")
        words = words.replace("plus", "+").replace("minus", "-")
        found = re.search(r"(?:is|Compute) ([-+*/() \d]+)[?.] Answer", words)
        if found:
            value = eval(found.group(1), {"__builtins__": {}})  # our own file
            assert value == int(sample.require_target()), sample.id
            checked += 1

    assert checked == 90


def test_the_right_choice_is_spread_evenly() -> None:
    targets = Counter(s.target for s in load_dataset(FOLDER / "multiple_choice.jsonl"))

    assert set(targets) == set("ABCD")
    assert max(targets.values()) - min(targets.values()) <= 6


def test_sentiments_are_balanced() -> None:
    targets = Counter(s.target for s in load_dataset(FOLDER / "sentiment.jsonl"))

    assert targets == {"positive": 30, "negative": 30}
