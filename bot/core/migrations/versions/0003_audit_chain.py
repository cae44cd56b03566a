"""The audit trail becomes one hash chain, and the database refuses to change or delete its rows."""

import hashlib
import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_GENESIS = "0" * 64
_BATCH = 1000

# Two updates are let through: sealing a row that has no place in the chain yet, and emptying one of what
# may be about a person, which takes the salt along and leaves the chain as it is.
_SQLITE = (
    """
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only: nothing is deleted from it.'); END
    """,
    """
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    WHEN NOT (
        NEW.seq IS OLD.seq AND NEW.at IS OLD.at AND NEW.action IS OLD.action
        AND NEW.outcome IS OLD.outcome AND NEW.event_id IS OLD.event_id
        AND (
            (
                OLD.position IS NULL AND NEW.actor IS OLD.actor AND NEW.subject IS OLD.subject
                AND NEW."before" IS OLD."before" AND NEW."after" IS OLD."after"
            )
            OR (
                NEW.salt IS NULL AND NEW.position IS OLD.position
                AND NEW.digest IS OLD.digest AND NEW.hash IS OLD.hash
            )
        )
    )
    BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only: its rows are never changed.'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE FUNCTION signalbox_guard_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF (NEW.seq, NEW.at, NEW.action, NEW.outcome, NEW.event_id)
                IS NOT DISTINCT FROM (OLD.seq, OLD.at, OLD.action, OLD.outcome, OLD.event_id)
            AND (
                (
                    OLD.position IS NULL
                    AND (NEW.actor, NEW.subject, NEW."before"::text, NEW."after"::text)
                    IS NOT DISTINCT FROM (OLD.actor, OLD.subject, OLD."before"::text, OLD."after"::text)
                )
                OR (
                    NEW.salt IS NULL
                    AND (NEW.position, NEW.digest, NEW.hash)
                    IS NOT DISTINCT FROM (OLD.position, OLD.digest, OLD.hash)
                )
            )
            THEN RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'The audit trail is append-only: % is refused.', TG_OP;
    END $$
    """,
    """
    CREATE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION signalbox_guard_audit()
    """,
    """
    CREATE TRIGGER audit_guard_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION signalbox_guard_audit()
    """,
)


def upgrade() -> None:
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("position", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("salt", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("digest", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_audit_position", ["position"], unique=True)
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    position, digest = _seal_all()
    op.bulk_insert(head, [{"id": 1, "position": position, "hash": digest}])
    for statement in _guards():
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_update")
        op.execute("DROP TRIGGER audit_no_delete")
    else:
        op.execute("DROP TRIGGER audit_guard_truncate ON audit")
        op.execute("DROP TRIGGER audit_guard ON audit")
        op.execute("DROP FUNCTION signalbox_guard_audit()")
    op.drop_table("audit_head")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_position")
        for column in ("hash", "digest", "salt", "position"):
            batch_op.drop_column(column)


def _guards() -> tuple[str, ...]:
    return _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL


def _seal_all() -> tuple[int, str]:
    """Chain the rows that are there. The formula is that of this revision, whatever becomes of it later."""
    audit = sa.Table(
        "audit",
        sa.MetaData(),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        *(sa.Column(name, sa.BigInteger()) for name in ("at", "position")),
        *(sa.Column(name, sa.JSON()) for name in ("before", "after")),
        *(sa.Column(name, sa.String()) for name in ("actor", "action", "subject", "outcome", "event_id")),
        *(sa.Column(name, sa.String()) for name in ("salt", "digest", "hash")),
    )
    connection, position, previous, last = op.get_bind(), 0, _GENESIS, 0
    query = sa.select(audit).order_by(audit.c.seq).limit(_BATCH)
    while rows := connection.execute(query.where(audit.c.seq > last)).all():
        for row in rows:
            position += 1
            salt = secrets.token_hex(16)
            personal = {name: getattr(row, name) for name in ("actor", "subject", "before", "after")}
            digest = hashlib.sha256(salt.encode() + _canonical(personal)).hexdigest()
            lasting = [position, row.at, row.action, row.outcome, row.event_id, digest]
            previous = hashlib.sha256(_canonical([previous, *lasting])).hexdigest()
            sealed = {"position": position, "salt": salt, "digest": digest, "hash": previous}
            connection.execute(sa.update(audit).where(audit.c.seq == row.seq).values(**sealed))
        last = rows[-1].seq
    return position, previous


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
