"""Scores beside the run: off the event loop, after the answer is on disk."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from aistrale_lab.domain.chat import Completion
from aistrale_lab.domain.runs import SampleScore
from aistrale_lab.domain.tasks import Sample
from aistrale_lab.errors import LabError
from aistrale_lab.scorers.base import NamedScorer, run_scorer

BACKLOG = 1_000
"""Answers that may wait for their scores before new calls have to."""

GROUP = 64

SaveScores = Callable[[str, list[SampleScore]], Awaitable[None]]
"""Stores the scores of a run and returns once they are on disk."""


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

    def __init__(self, scorers: Sequence[NamedScorer], save: SaveScores) -> None:
        self._scorers = scorers
        self._save = save
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(BACKLOG)
        self._queue: SimpleQueue[_Answer | None] = SimpleQueue()
        self._saves: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self._idle = asyncio.Event()
        self._thread = threading.Thread(
            target=self._work, name="aistrale-scoring", daemon=True
        )
        if scorers:
            self._thread.start()

    async def submit(
        self, run_id: str, sample: Sample, completion: Completion, epoch: int
    ) -> None:
        """Hand an answer over; waits only if the backlog is full."""
        if not self._scorers:
            return
        await self._room.acquire()
        self._queue.put(_Answer(run_id, sample, completion, epoch))

    async def drain(self) -> None:
        """Wait until every answer handed over is scored and its scores are stored."""
        if not self._scorers:
            return
        self._queue.put(None)
        await self._idle.wait()
        while self._saves:
            await asyncio.wait(self._saves)
        if self._fault is not None:
            raise self._fault

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
            save = self._loop.create_task(self._keep(run_id, scores))
            self._saves.add(save)
            save.add_done_callback(self._saves.discard)

    async def _keep(self, run_id: str, scores: list[SampleScore]) -> None:
        try:
            await self._save(run_id, scores)
        except LabError as error:
            self._fault = error
