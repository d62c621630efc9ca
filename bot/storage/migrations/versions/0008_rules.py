"""Rules: what they are, their versions, what they did, and how far their consumer has read the log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def _rules() -> None:
    op.create_table(
        "rules",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("trigger", sa.String(40), nullable=False),
        sa.Column("changed", Json),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("due_field", sa.String(60)),
        sa.Column("due_minutes", sa.Integer),
        sa.Column("actions", Json, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("stop_after", sa.Boolean, nullable=False),
        sa.Column("run_as_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
    )
    op.create_table(
        "rule_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("rule_id", Id, sa.ForeignKey("rules.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("changed_by", Id, sa.ForeignKey("users.id")),
        sa.Column("changed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rule_versions"),
        sa.UniqueConstraint("rule_id", "number", name="uq_rule_versions_rule_id_number"),
    )


def _runs() -> None:
    op.create_table(
        "rule_runs",
        sa.Column("id", Id, nullable=False),
        sa.Column("rule_id", Id, sa.ForeignKey("rules.id"), nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("event_id", Id),
        sa.Column("due_at", Instant),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("record_id", Id, nullable=False),
        sa.Column("run_as_id", Id, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.String(500)),
        sa.Column("changes", Json),
        sa.Column("chain", Json, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_rule_runs"),
        sa.UniqueConstraint("rule_id", "event_id", name="uq_rule_runs_rule_id_event_id"),
        sa.UniqueConstraint("rule_id", "record_id", "due_at", name="uq_rule_runs_rule_id_record_id_due_at"),
    )
    op.create_index("ix_rule_runs_rule", "rule_runs", ["rule_id", "id"])
    op.create_index("ix_rule_runs_record", "rule_runs", ["record_id", "id"])
    op.create_index("ix_rule_runs_state", "rule_runs", ["rule_id", "state", "finished_at"])


def upgrade() -> None:
    _rules()
    _runs()
    op.create_table(
        "consumers",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("xid", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_consumers"),
    )
    # Rules look at what happens from now on, not at what the log already holds.
    if op.get_bind().dialect.name == "postgresql":
        newest = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 4611686018427387904"
    else:
        newest = "0, (SELECT coalesce(max(seq), 0) FROM events)"
    op.execute(f"INSERT INTO consumers (name, xid, seq) SELECT 'rules', {newest}")


def downgrade() -> None:
    op.execute("DELETE FROM timers WHERE kind IN ('rule_due', 'rule_retry', 'rule_backfill', 'rule_message')")
    for name in ("consumers", "rule_runs", "rule_versions", "rules"):
        op.drop_table(name)
