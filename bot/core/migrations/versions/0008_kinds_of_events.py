"""Events are counted by kind from an index alone; it is built beside the writers, who may not wait for it."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NEW, OLD = "ix_events_received_at_kind", "ix_events_received_at"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A build that was broken off leaves an index that is of no use.
        op.drop_index(NEW, "events", if_exists=True, postgresql_concurrently=True)
        op.create_index(NEW, "events", ["received_at", "kind"], postgresql_concurrently=True)
        # What the old one was for, the new one does too.
        op.drop_index(OLD, "events", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    op.create_index(OLD, "events", ["received_at"])
    op.drop_index(NEW, "events")
