"""BM25: which of several texts is nearest to a question.

Source: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework: BM25 and
Beyond, Foundations and Trends in Information Retrieval 3(4), 2009, section 3.4. One is
added inside the logarithm, so that a word of most texts never counts against a text.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

K1 = 1.2
"""How slowly a repeated word loses its worth."""

B = 0.75
"""How much a long text is held against it: 0 not at all, 1 in full."""

_WORD = re.compile(r"\w+")


def nearest(question: str, texts: Sequence[str]) -> int:
    """The place of the nearest text; the first one wins a tie."""
    scores = bm25(question, texts)
    return scores.index(max(scores))


def bm25(question: str, texts: Sequence[str]) -> list[float]:
    """The score of each of at least one text; 0 where no word is shared."""
    documents = [Counter(words(text)) for text in texts]
    lengths = [document.total() for document in documents]
    average = sum(lengths) / len(lengths) or 1.0
    seen_in = Counter(word for document in documents for word in document)
    asked = words(question)
    return [
        sum(
            _weight(len(texts), seen_in[word])
            * _saturation(document[word], length / average)
            for word in asked
            if word in document
        )
        for document, length in zip(documents, lengths, strict=True)
    ]


def words(text: str) -> list[str]:
    """Words and numbers, whatever their case."""
    return _WORD.findall(text.casefold())


def _weight(texts: int, seen_in: int) -> float:
    return math.log(1 + (texts - seen_in + 0.5) / (seen_in + 0.5))


def _saturation(times: int, relative_length: float) -> float:
    return times * (K1 + 1) / (times + K1 * (1 - B + B * relative_length))
