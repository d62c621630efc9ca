"""The search index: one entry a searched field of a record, in the folded terms that `~` and search look for.

PostgreSQL reads it by GIN over a tsvector, SQLite by FTS5, which triggers keep (migration 0006). Both hold
the terms as they are: what a word is, `fold` alone says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY

from bot.records.entity import Entity, Field
from bot.records.search.fold import terms, wanted
from bot.records.tx import Record, Tx
from bot.storage import Id, metadata

search_entries = sa.Table(
    "search_entries",
    metadata,
    # SQLite's rowid, by which FTS5 knows the entry.
    sa.Column("seq", sa.BigInteger, primary_key=True, server_default=sa.FetchedValue()),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("field", sa.String(60), nullable=False),
    # The record that a hit finds: a contact by its addresses, any other record by itself.
    sa.Column("found_id", Id, nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.UniqueConstraint("record_id", "field"),
    sa.Index("ix_search_entries_found", "found_id"),
)
# FTS5's own table over the entries' terms. It is none of the metadata's: only SQLite has it.
_fts = sa.table("search_index", sa.column("rowid", sa.Integer), sa.column("search_index", sa.Text))
_NAMES = ("entity", "record_id", "field", "found_id", "terms")
_KEY = ("record_id", "field")
Source = tuple[str, str]
"""A kind and a field of it."""
MAX_WORDS = 20
"""How many words of a text are looked for: each is a search of its own."""


def index_record(
    tx: Tx, entity: Entity, record_id: str, values: Mapping[str, Any], before: Record | None = None
) -> None:
    """Write what the record's searched fields are found by, at the end of the transaction. `values` are those
    that are new, `before` the record until then."""
    searched = [name for name, spec in entity.fields.items() if spec.search]
    moved = before is not None and entity.finds in values
    row = {**(before or {}), **values}
    rows = [
        entry(entity, record_id, entity.fields[name], row)
        for name in searched
        if moved or (name in values and (before is not None or values[name] not in (None, "")))
    ]
    tx.upsert_later(search_entries, _NAMES, _KEY, rows)


def enter(tx: Tx, entity: Entity, row: Record) -> None:
    """Write what a record is found by, its empty fields too: they may have held something."""
    rows = [entry(entity, row["id"], spec, row) for spec in entity.fields.values() if spec.search]
    tx.upsert_later(search_entries, _NAMES, _KEY, rows)


def unindex_record(tx: Tx, entity: Entity, row: Record) -> None:
    """A deleted record finds nothing else any more."""
    if entity.finds:
        empty = {**row, **{name: None for name, spec in entity.fields.items() if spec.search}}
        index_record(tx, entity, row["id"], empty, row)


def entry(entity: Entity, record_id: str, spec: Field, row: Mapping[str, Any]) -> dict[str, Any]:
    """A field's row of the index."""
    value = row.get(spec.name)
    text = f"{entity.number_prefix if spec.name == 'number' else ''}{'' if value is None else value}"
    return {
        "entity": entity.name,
        "record_id": record_id,
        "field": spec.name,
        "found_id": row[entity.finds] if entity.finds else record_id,
        "terms": terms(text) if value is not None else "",
    }


def matching(dialect: str, kind: str, among: Sequence[Source], text: str) -> sa.Select[tuple[str]]:
    """The ids of records of this kind that these fields find by every word of the text, each word in any of
    them. Fields of other kinds find what they point to."""
    return having_words(dialect, kind, among, wanted(text)[:MAX_WORDS])


def having_words(
    dialect: str, kind: str, among: Sequence[Source], words: Sequence[Sequence[str]]
) -> sa.Select[tuple[str]]:
    """The same for words as `fold.wanted` gives them: for each, the terms any of which finds it."""
    if not words or not among:
        return sa.select(search_entries.c.found_id).where(sa.false())
    # In one field every word stands in one entry; in several, each word may stand in another.
    asked = [words] if len(among) == 1 else [[word] for word in words]
    first, *others = (_having(dialect, kind, among, part) for part in asked)
    for other in others:
        first = first.where(first.selected_columns[0].in_(_apart(dialect, other)))
    return _apart(dialect, first) if others else first


def _apart(dialect: str, chosen: sa.Select[tuple[str]]) -> sa.Select[tuple[str]]:
    """PostgreSQL is to find the records of each word by its index: it thinks a word cheap to look for in
    every record, and would for two."""
    return chosen.offset(sa.literal_column("0")) if dialect == "postgresql" else chosen


def _having(
    dialect: str, kind: str, among: Sequence[Source], words: Sequence[Sequence[str]]
) -> sa.Select[tuple[str]]:
    entries = search_entries.alias()
    of_kind: dict[str, list[str]] = {}
    for source, field in among:
        of_kind.setdefault(source, []).append(field)
    fields = [
        sa.and_(entries.c.entity == source, entries.c.field.in_(names)) for source, names in of_kind.items()
    ]
    found = entries.c.record_id if set(of_kind) == {kind} else entries.c.found_id
    chosen = sa.select(found).where(sa.or_(*fields))
    if dialect == "postgresql":
        query = sa.cast(sa.literal(_tsquery(words), sa.Text()), TSQUERY)
        return chosen.where(_vector(entries).bool_op("@@")(query))
    asked = sa.select(_fts.c.rowid).where(_fts.c.search_index.op("MATCH")(_match(words)))
    return chosen.where(entries.c.seq.in_(asked))


def _vector(entries: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.func.array_to_tsvector(sa.func.string_to_array(entries.c.terms, sa.literal_column("' '")))


def _tsquery(words: Sequence[Sequence[str]]) -> str:
    """`('laks':* | 'xalks') & (…)`. Terms are letters and digits: nothing in them needs escaping."""
    return " & ".join(f"({' | '.join(map(_lexeme, word))})" for word in words)


def _lexeme(term: str) -> str:
    return f"'{term[:-1]}':*" if term.endswith("*") else f"'{term}'"


def _match(words: Sequence[Sequence[str]]) -> str:
    """The same for FTS5: `("laks" * OR "xalks") AND (…)`."""
    return " AND ".join(f"({' OR '.join(map(_phrase, word))})" for word in words)


def _phrase(term: str) -> str:
    return f'"{term[:-1]}" *' if term.endswith("*") else f'"{term}"'
