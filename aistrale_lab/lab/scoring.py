"""Scores beside the run: off the event loop, after the answer is on disk."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import SampleScore
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import LabError
from aistrale_lab.scorers.base import NamedScorer, await_scorer, run_scorer

BACKLOG = 1_000
"""Answers that may wait for their scores before new calls have to."""

GROUP = 64

CONCURRENT = 16
"""Answers that asynchronous scorers judge side by side."""

SaveScores = Callable[[str, list[SampleScore]], Awaitable[None]]
"""Stores the scores of a run and returns once they are on disk."""

OnScores = Callable[[str, list[SampleScore]], None]
"""Hears of scores of a run once they are on disk."""


@dataclass(slots=True)
class _Answer:
    run_id: str
    sample: Sample
    completion: Completion
    epoch: int


class Scoring:
    """A thread that scores answers in groups, so that a slow scorer delays no call.

    Asynchronous scorers run on the engine's loop instead. A scorer that raises
    gives a score with an error; a failure of the store ends in `drain`.
    """

    def __init__(
        self,
        scorers: Sequence[NamedScorer],
        save: SaveScores,
        on_scores: OnScores | None = None,
    ) -> None:
        self._scorers = [scorer for scorer in scorers if not scorer.is_async]
        self._awaited = [scorer for scorer in scorers if scorer.is_async]
        self._save = save
        self._on_scores = on_scores
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(BACKLOG)
        self._places = asyncio.Semaphore(CONCURRENT)
        self._queue: SimpleQueue[_Answer | None] = SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self._idle = asyncio.Event()
        self._thread = threading.Thread(
            target=self._work, name="aistrale-scoring", daemon=True
        )
        if self._scorers:
            self._thread.start()

    async def submit(
        self, run_id: str, sample: Sample, completion: Completion, epoch: int
    ) -> None:
        """Hand an answer over; waits only if the backlog is full."""
        answer = _Answer(run_id, sample, completion, epoch)
        if self._scorers:
            await self._room.acquire()
            self._queue.put(answer)
        if self._awaited:
            await self._room.acquire()
            self._start(self._await_scores(answer))

    async def drain(self) -> None:
        """Wait until every answer handed over is scored and its scores are stored.

        Raises the StoreError that kept a score from being stored.
        """
        if self._scorers:
            self._queue.put(None)
            await self._idle.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._fault is not None:
            raise self._fault

    async def _await_scores(self, answer: _Answer) -> None:
        async with self._places:
            scores = [
                await await_scorer(
                    scorer, answer.sample, answer.completion, epoch=answer.epoch
                )
                for scorer in self._awaited
            ]
        self._room.release()
        await self._keep(answer.run_id, scores)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _work(self) -> None:
        while group := self._next_group():
            scored = [(a.run_id, self._score(a)) for a in group]
            self._loop.call_soon_threadsafe(self._scored, scored)
        self._loop.call_soon_threadsafe(self._idle.set)

    def _next_group(self) -> list[_Answer]:
        """At least one answer and at most a group; empty at the end."""
        group: list[_Answer] = []
        while len(group) < GROUP and not (group and self._queue.empty()):
            answer = self._queue.get()
            if answer is None:
                if group:
                    self._queue.put(None)
                break
            group.append(answer)
        return group

    def _score(self, answer: _Answer) -> list[SampleScore]:
        return [
            run_scorer(scorer, answer.sample, answer.completion, epoch=answer.epoch)
            for scorer in self._scorers
        ]

    def _scored(self, scored: list[tuple[str, list[SampleScore]]]) -> None:
        by_run: dict[str, list[SampleScore]] = {}
        for run_id, scores in scored:
            self._room.release()
            by_run.setdefault(run_id, []).extend(scores)
        for run_id, scores in by_run.items():
            self._start(self._keep(run_id, scores))

    async def _keep(self, run_id: str, scores: list[SampleScore]) -> None:
        try:
            await self._save(run_id, scores)
        except LabError as error:
            self._fault = error
            return
        if self._on_scores is not None:
            self._on_scores(run_id, scores)
