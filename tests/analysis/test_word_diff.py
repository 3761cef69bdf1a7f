"""Word diffs: both texts can be read from one, and nothing takes for ever."""

from hypothesis import given
from hypothesis import strategies as st

from aistrale_lab.analysis.word_diff import MOST, word_diff

TEXTS = st.text(alphabet="ab .,\n", max_size=60)


def side(before: str, after: str, kind: str) -> str:
    return "".join(
        text for found, text in word_diff(before, after) if found in ("same", kind)
    )


@given(TEXTS, TEXTS)
def test_either_text_can_be_read_from_the_difference(before: str, after: str) -> None:
    assert side(before, after, "removed") == before
    assert side(before, after, "added") == after


def test_words_are_kept_whole_and_the_old_stands_before_the_new() -> None:
    assert word_diff("The answer is 864.", "The answer is 86.") == [
        ("same", "The answer is "),
        ("removed", "864"),
        ("added", "86"),
        ("same", "."),
    ]


def test_equal_and_empty_texts() -> None:
    assert word_diff("same", "same") == [("same", "same")]
    assert word_diff("", "") == []
    assert word_diff("", "new") == [("added", "new")]


def test_what_is_beyond_the_limit_is_still_there() -> None:
    before, after = "a " * MOST, "a " * (MOST // 2) + "b " * MOST

    assert side(before, after, "removed") == before
    assert side(before, after, "added") == after
