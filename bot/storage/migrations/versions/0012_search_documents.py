"""The search index: a document a record, of all that finds it. GIN on PostgreSQL, FTS5 on SQLite."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")

_GATHER = (
    "INSERT INTO search_documents (found_id, terms) SELECT found_id, string_agg(terms, ' ') "
    "FROM search_entries WHERE terms <> '' GROUP BY found_id"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    sqlite = dialect == "sqlite"
    seq = sa.Column("seq", sa.Integer) if sqlite else sa.Column("seq", sa.BigInteger, sa.Identity())
    op.create_table(
        "search_documents",
        seq,
        sa.Column("found_id", Id, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_search_documents"),
        sa.UniqueConstraint("found_id", name="uq_search_documents_found_id"),
    )
    if sqlite:
        for statement in _FTS5:
            op.execute(statement)
    op.execute(_GATHER.replace("string_agg", "group_concat") if sqlite else _GATHER)
    if not sqlite:
        op.execute(
            "CREATE INDEX ix_search_documents_terms ON search_documents "
            "USING gin (array_to_tsvector(string_to_array(terms, ' ')))"
        )


_FORGET = (
    "INSERT INTO search_documents_index (search_documents_index, rowid, terms) "
    "VALUES ('delete', old.seq, old.terms);"
)
_LEARN = "INSERT INTO search_documents_index (rowid, terms) VALUES (new.seq, new.terms);"
_FTS5 = (
    "CREATE VIRTUAL TABLE search_documents_index USING fts5(terms, content='search_documents',"
    " content_rowid='seq', tokenize='ascii', prefix='2 3 4', detail='none')",
    f"CREATE TRIGGER search_documents_made AFTER INSERT ON search_documents BEGIN {_LEARN} END",
    f"CREATE TRIGGER search_documents_gone AFTER DELETE ON search_documents BEGIN {_FORGET} END",
    "CREATE TRIGGER search_documents_changed AFTER UPDATE OF terms ON search_documents "
    f"WHEN old.terms <> new.terms BEGIN {_FORGET} {_LEARN} END",
)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_documents_index")
    op.drop_table("search_documents")
