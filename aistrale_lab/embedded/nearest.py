"""BM25: which of several texts is nearest to a question.

Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and
Beyond (2009), equation 3.15, with the usual constants.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

K1 = 1.2
B = 0.75

_WORD = re.compile(r"\w+")


def nearest(question: str, texts: Sequence[str]) -> int:
    """The place of the nearest text; the first one wins a tie."""
    documents = [Counter(words(text)) for text in texts]
    lengths = [document.total() for document in documents]
    average = sum(lengths) / len(lengths) or 1.0
    seen_in = Counter(word for document in documents for word in document)
    scores = [
        sum(
            _weight(len(texts), seen_in[word])
            * _saturation(document[word], length / average)
            for word in words(question)
            if word in document
        )
        for document, length in zip(documents, lengths, strict=True)
    ]
    return scores.index(max(scores))


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return _WORD.findall(text.casefold())


def _weight(texts: int, seen_in: int) -> float:
    return math.log(1 + (texts - seen_in + 0.5) / (seen_in + 0.5))


def _saturation(times: int, relative_length: float) -> float:
    return times * (K1 + 1) / (times + K1 * (1 - B + B * relative_length))
