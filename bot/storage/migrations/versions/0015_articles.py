"""Who reads an article, where it is filed, from when until when, and what a translation was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_COLUMNS = ("audience", "category", "publish_at", "expires_at", "translates")


def upgrade() -> None:
    """Articles that there are stay as they were: for everybody, at once and for ever."""
    op.add_column("articles", sa.Column("audience", sa.String(10), nullable=False, server_default="public"))
    op.add_column("articles", sa.Column("category", sa.String(80)))
    op.add_column("articles", sa.Column("publish_at", Instant))
    op.add_column("articles", sa.Column("expires_at", Instant))
    op.add_column("articles", sa.Column("translates", sa.Integer))


def downgrade() -> None:
    """Articles in review are drafts again; what was not for everybody is not shown to everybody."""
    op.execute("UPDATE articles SET status = 'draft' WHERE status = 'review' OR audience <> 'public'")
    for name in reversed(_COLUMNS):
        op.drop_column("articles", name)
