"""Thirteen skills: questions made by rules, one in eight of them never trained on.

A question is held out by a hash of what it is about, not of its wording: if 47 + 6 is
held out, so is 6 + 47, however it is asked. Capitals are the exception: a fact must have
been seen to be known, so there the wording is held out.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from aistrale_lab.embedded.training.words import (
    ALPHABET,
    CAPITALS,
    NEGATIVE,
    POSITIVE,
    SENTIMENT_FRAMES,
    THINGS,
)

HELD_OUT = 8
"""One question in so many is held out."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its one right answer, and what it is about."""

    skill: str
    text: str
    answer: str
    about: str

    @property
    def is_held_out(self) -> bool:
        """Whether it is kept from training, by a hash of what it is about."""
        digest = hashlib.blake2b(f"{self.skill}:{self.about}".encode(), digest_size=8)
        return int.from_bytes(digest.digest()) % HELD_OUT == 0


Maker = Callable[[Random], Question]
"""Draws one question of a skill."""


def _number(skill: str, text: str, answer: int, about: object) -> Question:
    return Question(skill, f"{text} Give only the number.", str(answer), str(about))


def _addition(skill: str, low: int, high: int, low_2: int, high_2: int) -> Maker:
    def make(random: Random) -> Question:
        terms = [random.randint(low, high), random.randint(low_2, high_2)]
        random.shuffle(terms)
        wording = random.choice(("What is {} + {}?", "Add {} and {}."))
        return _number(skill, wording.format(*terms), sum(terms), sorted(terms))

    return make


def _subtraction(skill: str, low: int, high: int) -> Maker:
    def make(random: Random) -> Question:
        less, more = sorted(random.randint(low, high) for _ in range(2))
        wording = random.choice(("What is {0} - {1}?", "Take {1} from {0}."))
        return _number(skill, wording.format(more, less), more - less, (more, less))

    return make


def _letters(random: Random, shortest: int, longest: int) -> str:
    length = random.randint(shortest, longest)
    return "".join(random.choices(ALPHABET, k=length))


def _reverse(random: Random) -> Question:
    word = _letters(random, 3, 6)
    wording = random.choice(
        ("Write the word {} backwards.", "Reverse the letters of {}.")
    )
    text = f"{wording.format(word)} Give only the word."
    return Question("reverse", text, word[::-1], word)


def _upper(random: Random) -> Question:
    word = _letters(random, 3, 7)
    wording = random.choice(
        ("Write the word {} in capital letters.", "Change {} to capital letters.")
    )
    text = f"{wording.format(word)} Give only the word."
    return Question("upper", text, word.upper(), word)


def _sort_letters(random: Random) -> Question:
    word = _letters(random, 3, 5)
    wording = random.choice(
        ("Write the letters of {} in alphabetical order.", "Sort the letters of {}.")
    )
    text = f"{wording.format(word)} Give only the letters."
    ordered = "".join(sorted(word))
    return Question("sort_letters", text, ordered, ordered)


def _count_letters(random: Random) -> Question:
    letter = random.choice(ALPHABET)
    others = _letters(random, 3, 6)
    letters = list(others + letter * random.randint(0, 3))
    random.shuffle(letters)
    word = "".join(letters)
    wording = random.choice(
        (
            "How many times is the letter {} in the word {}?",
            "Count the letter {} in the word {}.",
        )
    )
    text = wording.format(letter, word)
    return _number("count_letters", text, word.count(letter), (letter, word))


def _some_numbers(random: Random, count: int) -> list[int]:
    """Different numbers of two to four digits, often close to each other."""
    top = random.choice((99, 999, 999, 9_999))
    base = random.randint(10, top)
    span = random.choice((10, 100, top))
    near = range(max(10, base - span), min(top, base + span) + 1)
    return random.sample(near, count)


def _compare(random: Random) -> Question:
    numbers = _some_numbers(random, 2)
    wording, pick = random.choice(
        (
            ("Which is larger, {} or {}?", max),
            ("Which is smaller, {} or {}?", min),
        )
    )
    about = sorted(numbers)
    return _number("compare", wording.format(*numbers), pick(numbers), about)


def _largest(random: Random) -> Question:
    numbers = _some_numbers(random, random.randint(3, 5))
    wording = random.choice(
        ("Which is the largest of {}?", "Find the largest number of {}.")
    )
    listed = ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
    return _number("largest", wording.format(listed), max(numbers), sorted(numbers))


def _sentiment(random: Random) -> Question:
    answer, words = random.choice((("positive", POSITIVE), ("negative", NEGATIVE)))
    opposite = NEGATIVE if words is POSITIVE else POSITIVE
    frame, negated = random.choice(SENTIMENT_FRAMES)
    first, second = random.sample(THINGS, 2)
    used = opposite if negated else words
    said = frame.format(first, second, *random.sample(used, 2))
    text = f"Is this review positive or negative? {said} Give only the word."
    return Question("sentiment", text, answer, said)


def _capitals(random: Random) -> Question:
    country, city = random.choice(CAPITALS)
    opening = random.choice(
        ("", "Tell me: ", "Question: ", "Please say: ", "Geography: ")
    )
    wording = random.choice(
        (
            "What is the capital of {}?",
            "Which city is the capital of {}?",
            "What is the name of the capital of {}?",
            "Name the capital of {}.",
            "Of {}, which city is the capital?",
            "Which capital city is in {}?",
            "What city is the capital of {}?",
            "Say which city is the capital of {}.",
        )
    )
    asked = opening + wording.format(country)
    return Question("capitals", f"{asked} Give only the name.", city, asked)


SKILLS: Mapping[str, Maker] = {
    "add_1": _addition("add_1", 0, 99, 0, 9),
    "add_2": _addition("add_2", 10, 99, 10, 99),
    "add_3": _addition("add_3", 100, 999, 100, 999),
    "sub_2": _subtraction("sub_2", 10, 99),
    "sub_3": _subtraction("sub_3", 100, 999),
    "reverse": _reverse,
    "upper": _upper,
    "count_letters": _count_letters,
    "compare": _compare,
    "largest": _largest,
    "sort_letters": _sort_letters,
    "sentiment": _sentiment,
    "capitals": _capitals,
}
"""Every skill, in the order in which prompt sets go round."""


def training_questions(
    random: Random, shares: Mapping[str, float]
) -> Iterator[Question]:
    """Questions that are not held out, without end, each skill by its share."""
    names, weights = list(shares), list(shares.values())
    while True:
        for name in random.choices(names, weights, k=1_000):
            question = SKILLS[name](random)
            if not question.is_held_out:
                yield question


def held_out_questions(per_skill: int, seed: int) -> list[Question]:
    """Different held-out questions, as many of each skill, going round the skills."""
    drawn = [_drawn(name, make, per_skill, seed) for name, make in SKILLS.items()]
    return [question for around in zip(*drawn, strict=True) for question in around]


def _drawn(name: str, make: Maker, count: int, seed: int) -> Sequence[Question]:
    random = Random(f"{seed}:{name}")
    found: dict[str, Question] = {}
    while len(found) < count:
        question = make(random)
        if question.is_held_out:
            found.setdefault(question.text, question)
    return list(found.values())
