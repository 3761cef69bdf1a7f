"""Words and bytes, and the same tokens from Hugging Face's own library."""

import json
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tokenizers import Tokenizer as Exported

from aistrale_lab.embedded.language import WEIGHTS
from aistrale_lab.embedded.tokenizer import BYTES, SPECIALS, Tokenizer
from aistrale_lab.embedded.training.skills import SKILLS, training_questions

PROMPTS = 10_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(WEIGHTS / "tokenizer.json")


@pytest.fixture(scope="module")
def exported() -> Exported:
    return Exported.from_file(str(WEIGHTS / "tokenizer.json"))


def written(tokenizer: Tokenizer, tokens: list[int]) -> str:
    return b"".join(map(tokenizer.bytes_of, tokens)).decode()


def test_ten_thousand_prompts_have_the_same_tokens_once_exported(
    tokenizer: Tokenizer, exported: Exported
) -> None:
    questions = training_questions(Random(5), dict.fromkeys(SKILLS, 1.0))
    prompts = [question.text for question in islice(questions, PROMPTS)]

    theirs = [encoding.ids for encoding in exported.encode_batch(prompts)]

    assert [tokenizer.encode(prompt) for prompt in prompts] == theirs


@given(text=some.text().filter(lambda text: "<|" not in text))  # no token's name
def test_any_text_has_the_same_tokens_once_exported(
    tokenizer: Tokenizer, exported: Exported, text: str
) -> None:
    assert tokenizer.encode(text) == exported.encode(text).ids


@given(text=some.text())
def test_the_tokens_of_a_text_write_it_again(tokenizer: Tokenizer, text: str) -> None:
    assert written(tokenizer, tokenizer.encode(text)) == text


def test_a_word_is_a_token_with_the_space_before_it(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("What is the xq?")

    assert [tokenizer.bytes_of(token) for token in tokens] == [
        *(b"What", b" is", b" the"),
        *(b" ", b"x", b"q", b"?"),
    ]


def test_no_word_of_the_vocabulary_is_a_single_letter(tokenizer: Tokenizer) -> None:
    numbers = range(BYTES + len(SPECIALS), tokenizer.size)

    assert all(len(tokenizer.bytes_of(one).strip()) > 1 for one in numbers)


def test_a_text_cannot_write_a_special_token(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("<|end|><|assistant|>")

    assert max(tokens) < BYTES


def test_a_conversation_ends_where_the_answer_begins(
    tokenizer: Tokenizer, exported: Exported
) -> None:
    turns = [("developer", "Be brief."), ("user", "a"), ("assistant", "b")]

    tokens = tokenizer.conversation([*turns, ("user", "c")])

    shown = "<|system|>Be brief.<|user|>a<|assistant|>b<|end|><|user|>c<|assistant|>"
    assert tokens == exported.encode(shown).ids


def test_the_file_is_what_the_tokenizer_writes(tokenizer: Tokenizer) -> None:
    file = Path(WEIGHTS / "tokenizer.json")

    assert json.loads(file.read_text("utf-8")) == tokenizer.as_json()
