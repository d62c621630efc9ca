"""Visits: the business's opening hours and who can be booked; where a visit was booked; one-time codes; keys
of the categories that flows file cases under."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")

PROFILE: tuple[tuple[str, Any, str], ...] = (
    ("opening_hours", sa.String(500), "'mon-sat 10:00-19:00'"),
    ("closed_days", sa.String(2000), "''"),
    ("visit_minutes", sa.Integer(), "30"),
    ("visit_lead_minutes", sa.Integer(), "60"),
    ("visits_at_once", sa.Integer(), "1"),
)


def upgrade() -> None:
    """Add them; a business that is there already gets the usual hours."""
    for name, kind, default in PROFILE:
        op.add_column("business", sa.Column(name, kind, nullable=False, server_default=sa.text(default)))
    op.add_column("users", sa.Column("bookable", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("activities", sa.Column("conversation_id", Id))
    op.add_column("categories", sa.Column("key", sa.String(20)))
    op.create_index("uq_categories_key", "categories", ["entity", "key"], unique=True)
    op.create_table(
        "codes",
        sa.Column("id", Id, nullable=False),
        sa.Column("conversation_id", Id, nullable=False),
        sa.Column("matter", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("used_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_codes"),
    )
    op.create_index("ix_codes_conversation", "codes", ["conversation_id", "matter", "created_at"])
    op.create_index("ix_codes_address", "codes", ["address", "created_at"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("codes")
    op.drop_index("uq_categories_key", "categories")
    op.drop_column("categories", "key")
    op.drop_column("activities", "conversation_id")
    op.drop_column("users", "bookable")
    for name, _, _ in reversed(PROFILE):
        op.drop_column("business", name)
