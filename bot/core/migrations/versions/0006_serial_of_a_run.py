"""A run knows its serial key, so that whoever waits for the key is found among millions that wait."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("serial", sa.String(length=255), nullable=True))
    op.execute(
        "UPDATE runs SET serial = (SELECT events.serial FROM events WHERE events.id = runs.event_id) "
        "WHERE runs.status = 'pending'"
    )
    waits = sa.text("status = 'pending' AND serial IS NOT NULL")
    op.create_index("ix_runs_serial_id", "runs", ["serial", "id"], sqlite_where=waits, postgresql_where=waits)


def downgrade() -> None:
    op.drop_index("ix_runs_serial_id", "runs")
    op.drop_column("runs", "serial")
