"""People: what an API key may do, until when, and when it was last used; when a case ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ADDED = {
    "api_keys": (
        ("name", sa.String(100)),
        ("scopes", Json),
        ("expires_at", Instant),
        ("last_used_at", Instant),
    ),
    "cases": (("closed_at", Instant),),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind))
    # When a case ended was not kept: its last change is the nearest to it.
    op.execute("UPDATE cases SET closed_at = updated_at WHERE status IN ('resolved', 'closed')")


def downgrade() -> None:
    for table, columns in ADDED.items():
        for name, _ in columns:
            op.drop_column(table, name)
