"""Loading prompt sets: every common form, and all faults at once before any call."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.engine.datasets import load_dataset, reload
from aistrale_lab.errors import ConfigError, DatasetError

ROWS = [{"input": "1 + 1?", "target": 2}, {"input": "2 + 2?", "target": 4}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.jsonl", LINES),
        ("d.jsonl", LINES.replace("\n", "\r\n")),
        ("d.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
        ("d.jsonl", LINES.encode("utf-16")),
        ("d.json", json.dumps(ROWS)),
        ("d.json", json.dumps({"canary": "x", "examples": ROWS})),
        ("d.csv", "input,target\n1 + 1?,2\n2 + 2?,4\n"),
        ("d.tsv", "input\ttarget\n1 + 1?\t2\n2 + 2?\t4\n"),
        ("d.yaml", "- input: 1 + 1?\n  target: 2\n- input: 2 + 2?\n  target: 4\n"),
    ],
)
def test_every_common_form_gives_the_same_samples(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    dataset = load_dataset(write(tmp_path / name, content))

    assert dataset.samples == (
        Sample(id="1", input="1 + 1?", target="2"),
        Sample(id="2", input="2 + 2?", target="4"),
    )
    assert dataset.fingerprint == load_dataset(ROWS).fingerprint


def test_a_conversation_has_the_fingerprint_that_it_always_had() -> None:
    """What was stored before messages knew of tools is found again."""
    turns = [("user", "Hi"), ("assistant", "Ho")]
    said = [{"role": role, "content": content} for role, content in turns]

    found = load_dataset([{"id": "a", "input": said}])

    assert found.fingerprint == "86cd709cbb0aaf12c92eace88f199d25"


def test_parquet_and_dataframes_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS)
    frame.to_parquet(tmp_path / "d.parquet")

    assert load_dataset(tmp_path / "d.parquet").samples == load_dataset(ROWS).samples
    assert load_dataset(frame).samples == load_dataset(ROWS).samples


def test_foreign_fields_are_mapped_and_the_others_are_metadata() -> None:
    rows = [{"q": "1?", "a": "x #### 1", "no": 7, "topic": "sums", "hard": True}]

    dataset = load_dataset(
        rows,
        input="q",
        target="{{ a.split('####')[-1].strip() }}",
        id="no",
        group="topic",
    )

    assert dataset[0] == Sample(
        id="7",
        input="1?",
        target="1",
        group="sums",
        metadata={"a": "x #### 1", "hard": True},
    )


def test_a_sample_without_an_id_gets_its_number_before_filters_and_limit() -> None:
    rows = [{"input": f"{n}?", "level": n % 2} for n in range(1, 7)]

    dataset = load_dataset(rows, where="level == 0", limit=2)

    assert [sample.id for sample in dataset] == ["2", "4"]


def test_a_seeded_choice_is_repeatable_and_keeps_the_order() -> None:
    rows = [{"input": f"{n}?"} for n in range(100)]

    first = load_dataset(rows, sample=10, seed=1)
    again = load_dataset(rows, sample=10, seed=1)
    other = load_dataset(rows, sample=10, seed=2)

    assert first == again != other
    numbers = [int(sample.id) for sample in first]
    assert numbers == sorted(numbers)


def test_an_input_may_be_a_conversation() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "?"},
    ]

    dataset = load_dataset([{"input": turns}])

    assert dataset[0].input == tuple(Message(**turn) for turn in turns)


def test_a_file_can_be_loaded_again_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", LINES)
    dataset = load_dataset(path, limit=1)
    assert dataset.source is not None

    same = reload(dataset.source)
    write(path, LINES.replace("1 + 1?", "one and one?"))
    changed = reload(dataset.source)

    assert same == dataset
    assert changed.fingerprint != dataset.fingerprint


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    lines = ['{"input": "a", "id": "x"}', "", '{"input": " "}', "{broken"]
    lines += ["[1]", '{"inptu": 3}', '{"input": NaN}', '{"input": "b", "id": "x"}']

    with pytest.raises(DatasetError) as caught:
        load_dataset(write(tmp_path / "d.jsonl", "\n".join(lines)))

    told = caught.value.message.splitlines()
    assert told[0] == "d.jsonl:"
    assert [line.strip().split(": ")[0] for line in told[1:6]] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
    ]
    assert "fields: inptu" in told[4]
    assert told[6].strip() == "id 'x' stands more than once"


def test_a_long_list_of_faults_is_cut_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", "{broken\n" * 50)

    with pytest.raises(DatasetError, match="and 30 more"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", b"", "d.jsonl is empty"),
        ("d.jsonl", LINES.encode() + b'{"input": "\xff"}\n', "line 3: byte .* UTF-8"),
        ("d.csv", 'input,target\n"a\nb",1\nc\n', "line 4: 1 cells, but the header"),
        ("d.csv", "input,input\na,b\n", "column input stands twice"),
        ("d.json", '{"a": [], "b": []}', "exactly one list of records; .* a, b"),
        ("d.json", '[{"input": }]', "line 1: broken JSON"),
        ("d.yaml", "- input: a\n  input: b\n", "line 1: .* key input stands twice"),
        ("d.yaml", "!!python/object/apply:os.system ['id']", "could not determine"),
        ("d.yaml", "- &a {input: x}\n" + "- *a\n" * 200, "more than 100 YAML aliases"),
        ("d.txt", "hello", "no known suffix; known: .csv, .json"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    with pytest.raises((DatasetError, ConfigError), match=message):
        load_dataset(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "question"}, "no field 'question'; fields: input, target"),
        ({"target": "{{ anwser }}"}, "'anwser' is undefined; fields: input, target"),
        ({"where": "target > missing"}, "'missing' is undefined"),
        ({"where": "target == 99"}, "no sample is left"),
        ({"limit": 0}, "limit must be at least 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises((DatasetError, ConfigError), match=message):
        load_dataset(ROWS, **options)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no file"):
        load_dataset(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="cannot be loaded from a int"):
        load_dataset(3)


def test_a_million_characters_are_a_prompt_like_any_other() -> None:
    dataset = load_dataset([{"input": "x" * 1_000_000}])

    assert len(dataset[0].input_text) == 1_000_000


def test_real_sets_are_read(shared_data: Path) -> None:
    questions = load_dataset(
        shared_data / "gsm8k_test.jsonl",
        input="question",
        target="{{ answer.split('####')[-1].strip() }}",
    )
    tasks = [
        load_dataset(path) for path in sorted((shared_data / "bbh").glob("*.json"))
    ]

    assert len(questions) == 1_319
    assert questions[0].target == "18"
    assert [len(task) for task in tasks] == [250, 187, 250, 250, 250]
