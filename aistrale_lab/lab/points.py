"""A run that belongs to a point of a batch: the same ids in whichever kernel it is.

A kernel that a batch starts is told its batch and point. What its notebook runs joins
one experiment for all points that ask the same, and a run has the id that it had
before: whatever is stored of it is not sent again.
"""

from collections.abc import Sequence
from dataclasses import replace

from aistrale_lab.domain.tasks import Task
from aistrale_lab.domain.values import fingerprint
from aistrale_lab.lab.launcher import Order
from aistrale_lab.lab.plan import LanePlan
from aistrale_lab.store.records import PointRecord, derived_id

SHARED = ("dataset", "prompt", "scorers", "epochs")
"""What points have in common to be compared: all of a task but its settings."""


def experiment_of(point: PointRecord, name: str, task: Task) -> tuple[str, str]:
    """Id and identity of the experiment that the runs of a task join."""
    parts = task.parts()
    asked = {"name": name, **{part: parts[part] for part in SHARED}}
    same = fingerprint({"batch": point.batch_id, **asked})
    return derived_id(point.batch_id, same), same


def order_of(order: Order, batch_id: str) -> Order:
    """The order as a batch stores it: tagged, and like the batch nobody's own."""
    tags = {"batch": batch_id, **order.tags}
    return replace(order, tags=tags, owner=None, visibility="private")


def place(
    plans: Sequence[LanePlan], point: PointRecord, experiment_id: str
) -> list[LanePlan]:
    """The plans with the ids that they have in every kernel of the point.

    The parameters that tell points apart are told with each run; one that is the
    run's model is told already.
    """
    placed = []
    for plan in plans:
        spec = plan.spec
        asked = {
            "model": str(spec.model),
            "config": spec.config.model_dump(mode="json", exclude_none=True),
            "base_url": spec.base_url,
            "stream": spec.stream,
        }
        run_id = derived_id(experiment_id, point.key, fingerprint(asked))
        own = {k: v for k, v in point.varied.items() if v != str(spec.model)}
        params = {**own, **spec.params}
        known = {"run_id": run_id, "experiment_id": experiment_id, "params": params}
        placed.append(plan.model_copy(update={"spec": spec.model_copy(update=known)}))
    return placed
