"""What watches the engine: told of calls, runs and experiments, never of a token."""

from contextlib import AbstractContextManager
from typing import Protocol

from aistrale_lab.domain.chat import Request
from aistrale_lab.domain.runs import RunSpec
from aistrale_lab.engine.outcome import Outcome
from aistrale_lab.engine.progress import LaneProgress
from aistrale_lab.runners.base import Endpoint


class ObservedCall(Protocol):
    """A call that has been sent."""

    def end(self, outcome: Outcome) -> None:
        """It is over, in the task that began it.

        The outcome tells the last attempt, and the failed ones before; without a
        completion and without an error the call was cancelled.
        """


class LaneObserver(Protocol):
    """Watches the calls of one lane."""

    def begin(self, request: Request) -> ObservedCall:
        """A request has its turn and is sent for the first time."""


class Observer(Protocol):
    """Watches what a bench does. It raises nothing, and is quick."""

    def lane(self, endpoint: Endpoint) -> LaneObserver | None:
        """Who watches the calls to an endpoint, if anybody does."""

    def experiment(self, experiment_id: str, name: str) -> AbstractContextManager[None]:
        """Around all runs of an experiment."""

    def run(
        self, spec: RunSpec, progress: LaneProgress
    ) -> AbstractContextManager[None]:
        """Around all calls of a run; the counters are final when it is left."""
