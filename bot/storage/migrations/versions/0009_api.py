"""The API: answers kept for requests that are sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def upgrade() -> None:
    op.create_table(
        "replies",
        sa.Column("user_id", Id, primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_index("ix_replies_created", "replies", ["created_at"])


def downgrade() -> None:
    op.drop_table("replies")
