"""Views: the lists that people keep, and what each user's begin with; main records by their last change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MAIN = ("accounts", "contacts", "leads", "opportunities", "cases", "activities")


def upgrade() -> None:
    op.create_table(
        "views",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("sort", sa.String(300), nullable=False),
        sa.Column("columns", Json),
        sa.Column("shared", sa.String(10), nullable=False),
        sa.Column("owner_id", Id, sa.ForeignKey("users.id")),
        sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
    )
    op.create_index("ix_views_entity", "views", ["entity", "id"])
    op.create_table(
        "view_defaults",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("view", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "entity", name="pk_view_defaults"),
    )
    for table in MAIN:
        op.create_index(f"ix_{table}_updated", table, ["updated_at", "id"])


def downgrade() -> None:
    for table in MAIN:
        op.drop_index(f"ix_{table}_updated", table)
    op.drop_table("view_defaults")
    op.drop_table("views")
