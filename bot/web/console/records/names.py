"""What records are called, many at once: one statement a kind, within what the actor may see."""

from collections.abc import Iterable, Mapping, Sequence

from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.query import Comparison, Query, page
from bot.records.show import lists_of
from bot.records.tx import Record, Tx
from bot.web.console.records.reader import Names, Reader


def pointed_at(entity: Entity, rows: Iterable[Record], fields: Iterable[str]) -> set[tuple[str, str]]:
    """(kind, id) of the records that these fields of the rows point to."""
    links = [(name, entity.fields[name].to) for name in fields if _is_link(entity, name)]
    return {(kind, row[name]) for row in rows for name, kind in links if row.get(name)}


def _is_link(entity: Entity, name: str) -> bool:
    return name in entity.fields and bool(entity.fields[name].to)


def names_of(tx: Tx, reader: Reader, wanted: Iterable[tuple[str, str]]) -> Names:
    """The titles of these records; those that the actor may not see are left out."""
    by_kind: dict[str, list[str]] = {}
    for kind, record_id in wanted:
        by_kind.setdefault(kind, []).append(record_id)
    found: dict[tuple[str, str], str] = {}
    for kind, ids in by_kind.items():
        entity = tx.schema.entities.get(kind)
        if entity is None or not allowed(tx.actor, "read", kind):
            continue
        fields = (entity.title,) if visible(tx.actor, entity, entity.title) else ("id",)
        query = Query(kind, (Comparison("id", "in", tuple(ids)),), limit=None, fields=fields)
        for row in page(tx, entity, query).rows:
            found[kind, row["id"]] = reader.title(entity, row)
    return found


def extras_of(
    tx: Tx, entity: Entity, rows: Sequence[Record], shown: Iterable[str]
) -> Mapping[str, Mapping[str, list[str]]]:
    """The further lists (telephone numbers, addresses) of these records, where any of them is shown."""
    if entity.extras is None or not rows or not set(shown) & set(entity.extras.names):
        return {}
    return dict(zip((row["id"] for row in rows), lists_of(tx, entity, rows), strict=True))
