"""The search index: one entry a searched field of a record, in the folded terms that `~` and search look for,
and one document a record, of all that finds it: words that stand in several fields are found by one look-up.

PostgreSQL reads both by GIN over a tsvector, SQLite by FTS5, which triggers keep (migrations 0006 and 0012).
Both hold the terms as they are: what a word is, `fold` alone says.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSQUERY

from bot.records.entity import Entity, Field
from bot.records.search.fold import terms, wanted
from bot.records.tx import Record, Tx
from bot.storage import Id, metadata
from bot.storage.upsert import insert

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
search_documents = sa.Table(
    "search_documents",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, server_default=sa.FetchedValue()),
    sa.Column("found_id", Id, nullable=False, unique=True),
    sa.Column("terms", sa.Text, nullable=False),
)
# FTS5's own tables over the terms. They are none of the metadata's: only SQLite has them.
_FTS = {
    table.name: sa.table(name, sa.column("rowid", sa.Integer), sa.column(name, sa.Text))
    for table, name in ((search_entries, "search_index"), (search_documents, "search_documents_index"))
}
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
    _write(tx, rows, made=before is None and not entity.finds)
    if moved and before is not None:
        tx.derive_later(_write_documents, {before[entity.finds]: False})


def enter(tx: Tx, entity: Entity, row: Record) -> None:
    """Write what a record is found by, its empty fields too: they may have held something."""
    _write(tx, [entry(entity, row["id"], spec, row) for spec in entity.fields.values() if spec.search])


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


def _write(tx: Tx, rows: Sequence[Mapping[str, Any]], made: bool = False) -> None:
    """Write entries at the end, and then the documents they belong to. `made`: the record is new."""
    tx.upsert_later(search_entries, _NAMES, _KEY, rows)
    tx.derive_later(_write_documents, {row["found_id"]: made for row in rows})


def _write_documents(tx: Tx, found: Mapping[str, bool]) -> None:
    """Gather the entries of records anew; of those that are not new, one transaction at a time: each sees
    what the one before it wrote."""
    if not all(found.values()):
        documents = search_documents.c
        held = sa.select(documents.found_id).where(documents.found_id.in_(list(found)))
        tx.rows(held.order_by(documents.found_id).with_for_update())
    tx.execute(_gathering(tx.dialect), {"found": list(found)})


@lru_cache(maxsize=4)
def _gathering(dialect: str) -> Any:
    """Write the documents of the records `:found`; one that nothing finds any more becomes empty."""
    entries, documents = search_entries.c, search_documents.c
    asked: sa.BindParameter[Any] = sa.bindparam("found", expanding=True)
    parts = sa.union_all(
        sa.select(entries.found_id, entries.terms).where(entries.found_id.in_(asked), entries.terms != ""),
        sa.select(documents.found_id, sa.null()).where(documents.found_id.in_(asked)),
    ).subquery()
    together = sa.func.aggregate_strings(parts.c.terms, " ")
    gathered = sa.select(parts.c.found_id, sa.func.coalesce(together, "")).group_by(parts.c.found_id)
    statement = insert(search_documents, dialect).from_select(["found_id", "terms"], gathered)
    return statement.on_conflict_do_update(
        index_elements=["found_id"],
        set_={"terms": statement.excluded.terms},
        where=search_documents.c.terms != statement.excluded.terms,
    )


def matching(
    dialect: str, kind: str, among: Sequence[Source], text: str, *, everything: bool = False
) -> sa.Select[tuple[str]]:
    """The ids of records of this kind that these fields find by every word of the text, each word in any of
    them. Fields of other kinds find what they point to. `everything`: these are all fields that do."""
    return having_words(dialect, kind, among, wanted(text)[:MAX_WORDS], everything=everything)


def having_words(
    dialect: str,
    kind: str,
    among: Sequence[Source],
    words: Sequence[Sequence[str]],
    *,
    everything: bool = False,
) -> sa.Select[tuple[str]]:
    """The same for words as `fold.wanted` gives them: for each, the terms any of which finds it."""
    if not words or not among:
        return sa.select(search_entries.c.found_id).where(sa.false())
    if everything:
        found = sa.select(search_documents.c.found_id)
        return _apart(dialect, found.where(_has_terms(dialect, search_documents, words)))
    # In one field every word stands in one entry; in several, each word may stand in another.
    asked = [words] if len(among) == 1 else [[word] for word in words]
    first, *others = (_having(dialect, kind, among, part) for part in asked)
    for other in others:
        first = first.where(first.selected_columns[0].in_(_apart(dialect, other)))
    return _apart(dialect, first) if others else first


def _apart(dialect: str, chosen: sa.Select[tuple[str]]) -> sa.Select[tuple[str]]:
    """PostgreSQL is to find the records by its index first: it thinks a word cheap to look for in every
    record, one after the other."""
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
    return sa.select(found).where(sa.or_(*fields), _has_terms(dialect, entries, words, search_entries.name))


def _has_terms(
    dialect: str, table: sa.FromClause, words: Sequence[Sequence[str]], name: str = search_documents.name
) -> sa.ColumnElement[bool]:
    """Whether a row of this table, or of an alias of it, has every word. `name` is the table's own."""
    if dialect == "postgresql":
        query = sa.cast(sa.literal(_tsquery(words), sa.Text()), TSQUERY)
        return _vector(table).bool_op("@@")(query)
    fts = _FTS[name]
    return table.c.seq.in_(sa.select(fts.c.rowid).where(fts.c[fts.name].op("MATCH")(_match(words))))


def _vector(table: sa.FromClause) -> sa.ColumnElement[Any]:
    return sa.func.array_to_tsvector(sa.func.string_to_array(table.c.terms, sa.literal_column("' '")))


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
