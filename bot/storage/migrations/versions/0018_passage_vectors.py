"""What pieces of articles mean, for the search by meaning."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table; a worker fills it."""
    op.create_table(
        "passage_vectors",
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_passage_vectors"),
    )


def downgrade() -> None:
    """Drop it: articles are found by their words."""
    op.drop_table("passage_vectors")
