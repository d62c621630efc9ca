"""Versions of flows that a business writes itself."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "flow_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("made_by", Id, sa.ForeignKey("users.id")),
        sa.Column("published_by", Id, sa.ForeignKey("users.id")),
        sa.Column("published_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flow_versions"),
        sa.UniqueConstraint("name", "number", name="uq_flow_versions_name_number"),
    )


def downgrade() -> None:
    """Drop it: the flows that ship are served again."""
    op.drop_table("flow_versions")
