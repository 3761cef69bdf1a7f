"""A run that another process executes can be asked to stop.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the new column of runs."""
    op.add_column("runs", sa.Column("stop_asked", sa.Boolean(), nullable=True))
