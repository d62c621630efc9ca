"""The record kinds of the API, and how a row of each is shown."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.clock import to_iso
from bot.conversations.entities import ENTITIES
from bot.crm.contact import IDENTITY
from bot.records.actor import Actor
from bot.records.entity import Entity, Field
from bot.records.permissions import allowed
from bot.records.query import Comparison, Query, page, reachable
from bot.records.tx import Record, Tx

Load = Callable[[Tx, list[str]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind by its name in addresses. `extra` fields come from other records, `load` fetches those of
    a whole page in one statement."""

    path: str
    entity: Entity
    extra: tuple[str, ...] = ()
    load: Load | None = None


def _addresses(tx: Tx, contact_ids: list[str]) -> dict[str, dict[str, list[str]]]:
    """The telephone numbers and mail addresses of contacts, oldest first, each once."""
    found: dict[str, dict[str, list[str]]] = {id_: {"phones": [], "emails": []} for id_ in contact_ids}
    if not contact_ids or not allowed(tx.actor, "read", IDENTITY.name):
        return found
    where = (
        Comparison("contact_id", "in", tuple(contact_ids)),
        Comparison("kind", "in", ("phone", "whatsapp", "email")),
    )
    query = Query(IDENTITY.name, where, limit=None, fields=("contact_id", "kind", "value"))
    for row in page(tx, IDENTITY, query).rows:
        value = row["value"]
        if row["kind"] == "whatsapp":
            # A WhatsApp id is a number without its plus, or a name that hides the number.
            if not value.isdigit():
                continue
            value = f"+{value}"
        shown = found[row["contact_id"]]["emails" if row["kind"] == "email" else "phones"]
        if value not in shown:
            shown.append(value)
    return found


def _kind(path: str, **options: Any) -> Kind:
    return Kind(path, ENTITIES[path.replace("-", "_")], **options)


KINDS: dict[str, Kind] = {
    kind.path: kind
    for kind in (
        _kind("contacts", extra=("phones", "emails"), load=_addresses),
        _kind("identities"),
        _kind("accounts"),
        _kind("leads"),
        _kind("cases"),
        _kind("activities"),
        _kind("conversations"),
        _kind("messages"),
        _kind("articles"),
        _kind("consents"),
        _kind("events"),
        _kind("users"),
        _kind("teams"),
        _kind("rules"),
        _kind("rule-versions"),
        _kind("rule-runs"),
        _kind("channel-accounts"),
        _kind("templates"),
        _kind("notifications"),
    )
}


def show(tx: Tx, kind: Kind, rows: Iterable[Record], wanted: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows as JSON holds them: the wanted fields, or all that the actor may see."""
    rows = list(rows)
    known = reachable(tx.actor, kind.entity)
    names = ("id", *(name for name in wanted if name != "id")) if wanted else (*known, *kind.extra)
    columns = [(name, _writer(kind.entity, known[name], tx.actor)) for name in names if name in known]
    extra = [name for name in names if name in kind.extra]
    shown = [{name: write(row[name]) for name, write in columns} for row in rows]
    if extra and kind.load is not None:
        loaded = kind.load(tx, [row["id"] for row in rows])
        for record in shown:
            record |= {name: loaded[record["id"]][name] for name in extra}
    return shown


def _plain(value: Any) -> Any:
    return value


def _moment(value: datetime | None) -> str | None:
    return None if value is None else to_iso(value)


def _writer(entity: Entity, spec: Field, actor: Actor) -> Callable[[Any], Any]:
    """What turns this field's column value into JSON."""
    if spec.type == "instant":
        return _moment
    if spec.name == "number" and entity.number_prefix:
        return lambda value: f"{entity.number_prefix}{value}"
    if entity.name == "events" and spec.name == "changes":
        return lambda value: _visible_changes(actor, value)
    return _plain


_RESTRICTED = {
    name: spec.only_for
    for entity in ENTITIES.values()
    for name, spec in entity.fields.items()
    if spec.only_for
}


def _visible_changes(actor: Actor, changes: Any) -> Any:
    """An event's changes without the fields that are hidden from this actor in the records themselves."""
    if not changes:
        return changes
    return {
        name: pair for name, pair in changes.items() if actor.role in _RESTRICTED.get(name, (actor.role,))
    }
