"""Channels: the last error of each account."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")


def upgrade() -> None:
    op.add_column("channel_accounts", sa.Column("last_error", sa.Text(), nullable=True))
    op.add_column("channel_accounts", sa.Column("last_error_at", Instant, nullable=True))


def downgrade() -> None:
    op.drop_column("channel_accounts", "last_error_at")
    op.drop_column("channel_accounts", "last_error")
