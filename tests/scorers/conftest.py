"""A judge: the score that a scorer's text gives to an answer."""

from collections.abc import Callable

import pytest

from aistrale_lab.domain.chat import Completion, FinishReason
from aistrale_lab.domain.runs import Score
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.scorers.base import make_scorer, run_scorer

Judge = Callable[..., Score]


@pytest.fixture(scope="session")
def judge() -> Judge:
    """`judge(scorer, answer, target)`: the score; an error of the scorer fails."""

    def judge(scorer: str, answer: str, target: str | None = None) -> Score:
        sample = Sample(id="1", input="?", target=target)
        completion = Completion(text=answer, finish_reason=FinishReason.STOP)
        found = run_scorer(make_scorer(scorer), sample, completion)
        assert found.score is not None, f"{found.error_type}: {found.error}"
        return found.score

    return judge
