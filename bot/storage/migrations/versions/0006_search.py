"""The search index: an entry a searched field. PostgreSQL: GIN over the terms; SQLite: FTS5 with triggers.

Records that exist are entered by `bot.records.search.fill`, in steps, when the program starts.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    seq = sa.Column("seq", sa.Integer) if sqlite else sa.Column("seq", sa.BigInteger, sa.Identity())
    op.create_table(
        "search_entries",
        seq,
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("record_id", Id, nullable=False),
        sa.Column("field", sa.String(60), nullable=False),
        sa.Column("found_id", Id, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_search_entries"),
        sa.UniqueConstraint("record_id", "field", name="uq_search_entries_record_id_field"),
    )
    op.create_index("ix_search_entries_found", "search_entries", ["found_id"])
    op.create_table(
        "search_fills",
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("after_id", Id),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("entity", name="pk_search_fills"),
    )
    if sqlite:
        for statement in _FTS5:
            op.execute(statement)
    else:
        op.execute(
            "CREATE INDEX ix_search_entries_terms ON search_entries "
            "USING gin (array_to_tsvector(string_to_array(terms, ' ')))"
        )


_FORGET = "INSERT INTO search_index (search_index, rowid, terms) VALUES ('delete', old.seq, old.terms);"
_LEARN = "INSERT INTO search_index (rowid, terms) VALUES (new.seq, new.terms);"
_FTS5 = (
    "CREATE VIRTUAL TABLE search_index USING fts5"
    "(terms, content='search_entries', content_rowid='seq', tokenize='ascii', prefix='2 3 4', detail='none')",
    f"CREATE TRIGGER search_entries_made AFTER INSERT ON search_entries BEGIN {_LEARN} END",
    f"CREATE TRIGGER search_entries_gone AFTER DELETE ON search_entries BEGIN {_FORGET} END",
    "CREATE TRIGGER search_entries_changed AFTER UPDATE OF terms ON search_entries "
    f"WHEN old.terms <> new.terms BEGIN {_FORGET} {_LEARN} END",
)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_table("search_fills")
    op.drop_table("search_entries")
