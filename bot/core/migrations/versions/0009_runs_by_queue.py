"""What waits is found queue by queue; the index is built beside the writers, who may not wait for it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NAME = "ix_runs_queue_due_at"


def upgrade() -> None:
    waits = sa.text("status = 'pending'")
    with op.get_context().autocommit_block():
        # A build that was broken off leaves an index that is of no use.
        op.drop_index(NAME, "runs", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "runs",
            ["queue", "due_at"],
            sqlite_where=waits,
            postgresql_where=waits,
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index(NAME, "runs")
