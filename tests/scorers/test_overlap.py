"""`f1`, `similarity`, `bleu` and `chrf`."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from rapidfuzz import fuzz

from aistrale_lab.domain.runs import Score
from aistrale_lab.errors import ValidationError
from aistrale_lab.scorers.base import make_scorer

Judge = Callable[..., Score]
ANSWER = "The cat sat on a mat"
TARGET = "a cat is on the mat."


def test_f1_counts_words_without_articles_and_punctuation(judge: Judge) -> None:
    score = judge("f1", ANSWER, TARGET)

    assert score.value == pytest.approx(3 / 4)  # cat, on, mat of 4 and 4 words
    assert score.answer == "cat sat on mat"


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("b b", "b", 2 / 3),
        ("x", "y", 0.0),
        ("", "y", 0.0),
        ("the", "a", 1.0),
        ("It's", "its", 1.0),
    ],
)
def test_f1_at_its_edges_is_that_of_squad(
    judge: Judge, answer: str, target: str, value: float
) -> None:
    assert judge("f1", answer, target).value == pytest.approx(value)


def test_similarity_is_the_ratio_of_rapidfuzz(judge: Judge) -> None:
    value = judge("similarity", ANSWER, TARGET).value

    assert value == pytest.approx(fuzz.ratio(ANSWER, TARGET) / 100)


def test_similarity_refuses_texts_that_would_take_minutes(judge: Judge) -> None:
    with pytest.raises(AssertionError, match="ValueError: texts of 1000000"):
        judge("similarity", "a" * 1_000_000, "b" * 1_000_000)


@pytest.mark.parametrize("scorer", ["bleu", "chrf", "similarity", "f1", "bleu:char"])
def test_equal_texts_have_full_marks_and_others_less(judge: Judge, scorer: str) -> None:
    assert judge(scorer, TARGET, TARGET).value == 1.0
    assert 0 < judge(scorer, ANSWER, TARGET).value < 1
    assert judge(scorer, "", TARGET).value == 0.0
    assert judge(scorer, "xyz", TARGET).value < 0.2


def test_chrf_and_bleu_are_those_of_sacrebleu(judge: Judge) -> None:
    import sacrebleu

    bleu = sacrebleu.sentence_bleu(ANSWER, [TARGET])
    chrf = sacrebleu.sentence_chrf(ANSWER, [TARGET])

    assert judge("bleu", ANSWER, TARGET).value == pytest.approx(bleu.score / 100)
    assert judge("chrf", ANSWER, TARGET).value == pytest.approx(chrf.score / 100)


def test_a_tokenizer_that_needs_a_download_is_refused() -> None:
    with pytest.raises(ValidationError, match="possible tokenizers: 13a, char"):
        make_scorer("bleu:flores200")


def test_sacrebleu_is_loaded_only_by_the_scorers_that_need_it() -> None:
    code = (
        "import sys; from aistrale_lab.scorers.base import make_scorers;"
        "make_scorers(['f1', 'number', 'json', 'choice', 'pattern:a', 'exact']);"
        "print([m for m in ('sacrebleu', 'jsonschema', 'rapidfuzz', 'numpy')"
        " if m in sys.modules])"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
