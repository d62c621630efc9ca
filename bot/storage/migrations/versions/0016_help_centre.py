"""What readers of the help centre found useful, and what tells at once that its articles changed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_READABLE = ("status", "audience", "deleted_at", "publish_at", "expires_at", "updated_at", "version")


def upgrade() -> None:
    """Add the votes' table, and the articles' index."""
    op.create_table(
        "article_votes",
        sa.Column("id", Id, nullable=False),
        sa.Column("article_id", Id, sa.ForeignKey("articles.id"), nullable=False),
        sa.Column("helpful", sa.Boolean, nullable=False),
        sa.Column("comment", sa.String(1000)),
        sa.Column("lang", sa.String(12), nullable=False),
        sa.Column("voter", sa.String(64), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_article_votes"),
        sa.UniqueConstraint("article_id", "voter", name="uq_article_votes_article_id_voter"),
    )
    op.create_index("ix_articles_readable", "articles", list(_READABLE))


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_articles_readable", "articles")
    op.drop_table("article_votes")
