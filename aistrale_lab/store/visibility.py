"""Whose experiments are whose: the one rule of who sees and who changes them.

An experiment without an owner was made on the store itself, and belongs to everybody
who is signed in, to see; only an admin changes it over the server.
"""

from typing import Any

from sqlalchemy import ColumnElement, or_, true

from aistrale_lab.domain.values import Value
from aistrale_lab.errors import ForbiddenError, NotFoundError
from aistrale_lab.store.reading import EXPERIMENTS
from aistrale_lab.store.records import ExperimentRecord


class Viewer(Value):
    """Who looks: a signed-in user."""

    user_id: str
    admin: bool

    def may_see(self, record: ExperimentRecord) -> bool:
        """Whether it has no owner, is the viewer's or the team's, or is an admin's."""
        return (
            self.admin
            or record.owner in (None, self.user_id)
            or record.visibility == "team"
        )

    def may_change(self, record: ExperimentRecord) -> bool:
        """Whether it is the viewer's own, or an admin's."""
        return self.admin or record.owner == self.user_id

    def check_sees(self, record: ExperimentRecord) -> None:
        """Raise NotFoundError, as for one that does not exist, if it is not seen."""
        if not self.may_see(record):
            raise NotFoundError(f"there is no experiment {record.id!r}")

    def check_changes(self, record: ExperimentRecord) -> None:
        """Raise NotFoundError if it is not seen, ForbiddenError if it is another's."""
        self.check_sees(record)
        if not self.may_change(record):
            raise ForbiddenError(f"experiment {record.id!r} is somebody else's")

    def sees(self) -> ColumnElement[Any]:
        """`may_see` as a condition on the table of experiments."""
        if self.admin:
            return true()
        return or_(
            EXPERIMENTS.c.owner.is_(None),
            EXPERIMENTS.c.owner == self.user_id,
            EXPERIMENTS.c.visibility == "team",
        )
