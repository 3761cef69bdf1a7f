"""Scorers that measure how much of the target the answer shares."""

import re
import string
from collections import Counter
from typing import Any

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.registry import ScorerDefinition, ScorerFunction
from aistrale_lab.scorers.text import tidy

MAX_COMPARISONS = 10**10
"""The most characters of one text times those of the other that are compared."""

TOKENIZERS = ("13a", "char", "intl", "none", "zh")
"""sacrebleu's tokenizers that need no download."""

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def f1(sample: Sample, completion: Completion) -> Score:
    """The harmonic mean of precision and recall over words.

    Lower-cased, without punctuation and articles, as in the evaluation script of
    SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250); two texts without words agree,
    as in SQuAD 2.0.
    """
    answer = tokens(completion.text)
    target = tokens(sample.require_target())
    shared = (Counter(answer) & Counter(target)).total()
    if answer and target:
        value = 2 * shared / (len(answer) + len(target))
    else:
        value = float(answer == target)
    explanation = f"{shared} shared of {len(answer)} and {len(target)} words"
    return Score(value=value, answer=" ".join(answer), explanation=explanation)


def tokens(text: str) -> list[str]:
    """The words that `f1` compares."""
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def make_similarity(argument: None | str) -> ScorerFunction:
    """1 minus the normalised distance of insertions and deletions (rapidfuzz's ratio).

    Characters are compared, once both texts are tidied; case counts.
    """
    from rapidfuzz.distance import Indel  # only where it is asked for

    def similarity(sample: Sample, completion: Completion) -> Score:
        answer, target = tidy(completion.text), tidy(sample.require_target())
        if len(answer) * len(target) > MAX_COMPARISONS:
            raise ValueError(
                f"texts of {len(answer)} and {len(target)} characters are too long "
                "to compare"
            )
        value = Indel.normalized_similarity(answer, target)
        return Score(value=value, answer=answer)

    return similarity


def make_bleu(argument: str | None) -> ScorerFunction:
    """Sentence BLEU with effective order, as sacrebleu computes it, from 0 to 1.

    Papineni et al. 2002 (P02-1040) and Post 2018 (arXiv:1804.08771). The argument
    is a tokenizer, 13a if there is none.
    """
    from sacrebleu.metrics.bleu import BLEU  # 0.2 s, only where it is asked for

    tokenizer = argument or "13a"
    if tokenizer not in TOKENIZERS:
        raise ValueError(f"possible tokenizers: {', '.join(TOKENIZERS)}")
    return _sentence_scorer(BLEU(effective_order=True, tokenize=tokenizer))


def make_chrf(argument: str | None) -> ScorerFunction:
    """Sentence chrF2, the F-score of character n-grams, by sacrebleu, from 0 to 1.

    Popović 2015 (W15-3049).
    """
    from sacrebleu.metrics.chrf import CHRF  # 0.2 s, only where it is asked for

    return _sentence_scorer(CHRF())


def _sentence_scorer(metric: Any) -> ScorerFunction:
    def sentence(sample: Sample, completion: Completion) -> Score:
        found = metric.sentence_score(completion.text, [sample.require_target()])
        return Score(
            value=min(found.score / 100, 1.0),
            answer=completion.text,
            explanation=str(found),
        )

    return sentence


F1 = ScorerDefinition.of(f1, needs_target=True)
SIMILARITY = ScorerDefinition(make=make_similarity, needs_target=True)
BLEU = ScorerDefinition(make=make_bleu, argument="optional", needs_target=True)
CHRF = ScorerDefinition(make=make_chrf, needs_target=True)
