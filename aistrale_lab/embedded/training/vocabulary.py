"""The words that the questions are made of, which become tokens of their own."""

import re
from collections import Counter
from itertools import islice
from random import Random

from aistrale_lab.embedded.tokenizer import PIECES, Tokenizer
from aistrale_lab.embedded.training.skills import SKILLS, training_questions

DRAWN = 60_000
"""Questions that are looked at."""

OFTEN = 12
"""How often a word must occur in them: words made of random letters do not."""


def make_tokenizer(seed: int) -> Tokenizer:
    """The tokenizer of the words of at least two letters that the rules use."""
    questions = training_questions(Random(seed), dict.fromkeys(SKILLS, 1.0))
    pieces: Counter[str] = Counter()
    for question in islice(questions, DRAWN):
        pieces.update(re.findall(PIECES, question.text))
        pieces.update(re.findall(PIECES, question.answer))
    return Tokenizer(
        sorted(
            piece
            for piece, times in pieces.items()
            if times >= OFTEN and len(piece.strip()) > 1
        )
    )
