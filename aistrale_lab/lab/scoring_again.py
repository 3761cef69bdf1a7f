"""Stored answers scored again, without a single call."""

from collections.abc import Coroutine, Sequence
from typing import Any

from aistrale_lab.domain.tasks import Task
from aistrale_lab.lab.scoring import Scoring
from aistrale_lab.scorers.base import NamedScorer, check_targets
from aistrale_lab.store.records import RunRecord
from aistrale_lab.store.results import Store


def score_again(
    store: Store, runs: Sequence[RunRecord], scorers: Sequence[NamedScorer]
) -> Coroutine[Any, Any, int]:
    """Score the answers of runs of one experiment; how many, once that is awaited.

    Raises DatasetError where a target is missing.
    """
    task = store.load_task(runs[0].experiment_id)
    check_targets(scorers, task.dataset)
    return _score(store, task, runs, scorers)


async def _score(
    store: Store,
    task: Task,
    runs: Sequence[RunRecord],
    scorers: Sequence[NamedScorer],
) -> int:
    samples = {sample.id: sample for sample in task.dataset}
    scoring = Scoring(scorers, store.recorder.save_scores)
    scored = 0
    for run in runs:
        for sample_id, epoch, completion in store.answers(run.id):
            await scoring.submit(run.id, samples[sample_id], completion, epoch)
            scored += 1
    await scoring.drain()
    return scored
