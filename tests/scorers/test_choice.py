"""The `choice` scorer, on prose as models write it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aistrale_lab.domain.runs import Score
from aistrale_lab.scorers.choice import pick


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B.", "B"),
        ("- B", "B"),
        ("'B'", "B"),
        ("B) Paris", "B"),
        ("B: Paris", "B"),
        ("A. Paris", "A"),
        ("The answer is (B).", "B"),
        ("The answer is B!", "B"),
        ("The answer is 'B'.", "B"),
        ("Answer: b", "B"),
        ("Answer:\n\nC", "C"),
        ("ANSWER: C", "C"),
        ("**Answer: C) 42**", "C"),
        ("**Answer:** C", "C"),
        ("So the answer is (d)", "D"),
        ("<answer>D</answer>", "D"),
        ("\\boxed{C}", "C"),
        ("The final answer is $\\boxed{\\text{C}}$.", "C"),
        ("The correct answer is B) Paris, since it is the capital.", "B"),
        ("The answer to the question is B", "B"),
        ("The answer is option D.", "D"),
        ("Option C is correct.", "C"),
        ("Therefore, the correct choice is: (E).", "E"),
        ("I think A and B are wrong. The answer is C.", "C"),
        ("(C) is the correct answer, because (A) is cold.", "C"),
        ("The answer is A. Wait, no: the answer is B.", "B"),
        ("Vitamin C is not the cause. The answer is therefore (A).", "A"),
        ("It must be (C), I believe.", "C"),
        ("I'd go with C.", "C"),
        ("I would say B because A is too long.", "B"),
        ("Let me think.\n\nB", "B"),
        ("B\n\nBecause Paris is the capital.", "B"),
        ("答案是B。", "B"),
        ("The answer is I.", "I"),
        ("The answer is B. " + "It is long. " * 100, "B"),
    ],
)
def test_the_letter_is_found_in_prose(answer: str, letter: str) -> None:
    assert pick(answer)[0] == letter


@pytest.mark.parametrize(
    "answer",
    [
        "A) Paris\nB) Rome\nC) Oslo",
        "It could be (A) or (B).",
        "The answer is A or B.",
        "Either C or D",
    ],
)
def test_an_answer_that_leaves_several_letters_open_picks_none(
    answer: str,
) -> None:
    letter, explanation = pick(answer)

    assert letter is None
    assert explanation.startswith("ambiguous")


@pytest.mark.parametrize(
    "answer", ["", "I do not know", "A dog is a mammal.", "the answer is a dog", "42"]
)
def test_articles_and_pronouns_are_no_letters(answer: str) -> None:
    assert pick(answer) == (None, "no letter is picked")


@pytest.mark.parametrize("target", ["B", "(B)", "b", "B)"])
def test_the_target_may_be_written_in_several_ways(
    judge: Callable[..., Score], target: str
) -> None:
    score = judge("choice", "The answer is (B).", target)

    assert (score.value, score.answer) == (1.0, "B")
    assert score.explanation == "stated; expected B"


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_the_search_fail(text: str) -> None:
    pick(text)


@pytest.mark.parametrize(
    "attack",
    ["answer ", "answer is ", "A is ", "(", "*", "answer to ", "answer is option "],
)
def test_a_hostile_megabyte_is_searched_in_linear_time(attack: str) -> None:
    pick(attack * (1_000_000 // len(attack)))  # were it quadratic, it would time out
