"""Calls: an activity says which way a call went, what came of it, how long it was, and the provider's id."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activities", sa.Column("direction", sa.String(length=10), nullable=True))
    op.add_column("activities", sa.Column("outcome", sa.String(length=20), nullable=True))
    op.add_column("activities", sa.Column("seconds", sa.Integer(), nullable=True))
    op.add_column("activities", sa.Column("external_id", sa.String(length=100), nullable=True))
    op.create_index("ix_activities_external_id", "activities", ["external_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_activities_external_id", "activities")
    for name in ("external_id", "seconds", "outcome", "direction"):
        op.drop_column("activities", name)
