"""Questions that customers asked the knowledge base, and the gaps found among them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add their tables."""
    op.create_table(
        "questions",
        sa.Column("id", Id, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("lang", sa.String(12), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False),
        sa.Column("conversation_id", Id, nullable=False),
        sa.Column("article_id", Id, sa.ForeignKey("articles.id")),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("helpful", sa.String(10), nullable=False),
        sa.Column("resolution", sa.String(12), nullable=False),
        sa.Column("answered_at", Instant),
        sa.Column("resolved_at", Instant),
        sa.Column("asked_on", sa.Date, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
    )
    op.create_index("ix_questions_asked", "questions", ["asked_on"])
    op.create_index("ix_questions_article", "questions", ["article_id", "asked_on"])
    op.create_index("ix_questions_contact", "questions", ["contact_id", "id"])
    op.create_index("ix_questions_conversation", "questions", ["conversation_id", "id"])
    op.create_table(
        "question_vectors",
        sa.Column("question_id", Id, sa.ForeignKey("questions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("model", sa.String(60), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("question_id", name="pk_question_vectors"),
    )
    op.create_table(
        "question_drafts",
        sa.Column("question_id", Id, sa.ForeignKey("questions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("article_id", Id, sa.ForeignKey("articles.id"), nullable=False),
        sa.PrimaryKeyConstraint("question_id", name="pk_question_drafts"),
    )
    op.create_index("ix_question_drafts_article_id", "question_drafts", ["article_id"])
    op.create_table(
        "gap_runs",
        sa.Column("id", Id, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("lease_until", Instant),
        sa.Column("made_at", Instant),
        sa.Column("found", Json),
        sa.PrimaryKeyConstraint("id", name="pk_gap_runs"),
    )


def downgrade() -> None:
    """Drop them: what customers asked stays in the message log."""
    for table in ("gap_runs", "question_drafts", "question_vectors", "questions"):
        op.drop_table(table)
