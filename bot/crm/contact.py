"""Contacts and their identities: a person, and the addresses they write from.

A verified identity belongs to one contact (the channel proved it, or a code did). A typed phone or address
is a claim: many may make it, it opens no records and joins no contacts.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bot.crm import address
from bot.records.actor import Actor
from bot.records.entity import Entity, Extras, entity
from bot.records.permissions import allowed, through, visible
from bot.records.tx import Record, Tx
from bot.records.write import create, find, get, update
from bot.storage import Id

NAME_SOURCES = ("unknown", "channel", "said", "staff")
"""How sure a name is: a later source overwrites an earlier one."""
IDENTITY_KINDS = ("phone", "email", "whatsapp", "telegram", "messenger", "instagram", "webchat")


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A name that staff enter is the surest there is."""
    if before is not None and tx.actor.kind == "user" and "name" in values:
        values.setdefault("name_source", "staff")


@lru_cache(maxsize=1024)
def _addresses(actor: Actor) -> sa.ColumnElement[str] | None:
    if not allowed(actor, "read", "identities") or not visible(actor, IDENTITY, "value"):
        return None
    return address.column(CONTACT.table, IDENTITY.table)


CONTACT: Entity = entity(
    "contacts",
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("name_source", sa.String(10), nullable=False),
    sa.Column("lang", sa.String(12)),
    sa.Column("account_id", Id, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("title", sa.String(100)),
    sa.Column("address", sa.Text),
    sa.Column("city", sa.String(80)),
    sa.Column("region", sa.String(80)),
    sa.Column("country", sa.String(2)),
    sa.Column("birthday", sa.Date),
    sa.Column("description", sa.Text),
    sa.Column("blocked", sa.Boolean, nullable=False),
    sa.Column("demo", sa.Boolean, nullable=False),
    sa.Index("ix_contacts_name", "name", "id"),
    enums={"name_source": NAME_SOURCES},
    personal=("name", "title", "address", "birthday", "description"),
    computed=("name_source", "blocked", "demo"),
    search={"name": 4, "title": 1, "city": 1},
    long=("address", "description"),
    defaults={"name_source": "staff", "blocked": False, "demo": False},
    title="name",
    prepare=_prepare,
    extras=Extras(address.NAMES, _addresses, address.read, address.save),
    main=True,
)


def through_contact(
    actor: Actor, column: sa.Column[Any], writing: bool = False
) -> sa.ColumnElement[bool] | None:
    """The condition that rows belong to a contact this actor may see, or change."""
    return through(actor, CONTACT, column, writing=writing)


IDENTITY: Entity = entity(
    "identities",
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("value", sa.String(320), nullable=False),
    sa.Column("verified", sa.Boolean, nullable=False),
    sa.UniqueConstraint("contact_id", "kind", "value"),
    sa.Index(
        "uq_identities_verified",
        "kind",
        "value",
        unique=True,
        sqlite_where=sa.text("verified"),
        postgresql_where=sa.text("verified"),
    ),
    sa.Index("ix_identities_value", "value", "kind"),
    enums={"kind": IDENTITY_KINDS},
    personal=("value",),
    search={"value": 3},
    finds="contact_id",
    computed=("verified",),
    defaults={"verified": False},
    title="value",
    prepare=address.one_form,
    guard=address.only_claims,
    takes=frozenset({"create", "delete"}),
    scope="parent",
    parent=lambda actor, writing: through_contact(actor, IDENTITY.table.c.contact_id, writing),
)
_by_verified = sa.select(IDENTITY.table.c.contact_id).where(
    IDENTITY.table.c.kind == sa.bindparam("kind"),
    IDENTITY.table.c.value == sa.bindparam("value"),
    IDENTITY.table.c.verified,
)
_of_contact = (
    sa.select(IDENTITY.table.c.kind, IDENTITY.table.c.value, IDENTITY.table.c.verified)
    .where(IDENTITY.table.c.contact_id == sa.bindparam("contact_id"), IDENTITY.table.c.deleted_at.is_(None))
    .order_by(IDENTITY.table.c.id)
)


_known = sa.select(IDENTITY.table).where(
    IDENTITY.table.c.contact_id == sa.bindparam("contact_id"),
    IDENTITY.table.c.kind == sa.bindparam("kind"),
    IDENTITY.table.c.value == sa.bindparam("value"),
)


def find_by_identity(tx: Tx, kind: str, value: str) -> str | None:
    """The contact this verified identity belongs to."""
    return tx.execute(_by_verified, {"kind": kind, "value": value}).scalar()


def add_contact(
    tx: Tx,
    name: str = "",
    *,
    source: str = "channel",
    lang: str | None = None,
    contact_id: str | None = None,
    owner_id: str | None = None,
    demo: bool = False,
) -> str:
    """A new contact; returns the id."""
    values = {
        "name": name[:200],
        "name_source": source if name else "unknown",
        "lang": lang,
        "owner_id": owner_id,
        "team_id": tx.actor.team_id if owner_id else None,
        "blocked": False,
        "demo": demo,
    }
    return create(tx, CONTACT, values if contact_id is None else {"id": contact_id, **values})


def identities_of(tx: Tx, contact_id: str) -> list[tuple[str, str, bool]]:
    """(kind, value, verified) of a contact, oldest first."""
    return [
        (row.kind, row.value, row.verified) for row in tx.execute(_of_contact, {"contact_id": contact_id})
    ]


def add_identity(tx: Tx, contact_id: str, kind: str, value: str, *, verified: bool) -> bool:
    """Link an address to a contact; False when it was linked already, or is proved to be another contact's.

    A claim that the channel now proves becomes verified; one that was taken off comes back."""
    known = tx.row(_known, {"contact_id": contact_id, "kind": kind, "value": value})
    if known is not None and known["deleted_at"] is None and (known["verified"] or not verified):
        return False
    if verified and find_by_identity(tx, kind, value) is not None:
        return False
    if known is not None:
        proved = {"verified": True} if verified else {}
        reason = "proved by the channel" if verified else ""
        return update(tx, IDENTITY, known, {"deleted_at": None, **proved}, reason=reason)
    create(tx, IDENTITY, {"contact_id": contact_id, "kind": kind, "value": value, "verified": verified})
    return True


def learn_about(
    tx: Tx, contact_id: str, *, name: str | None = None, source: str = "said", lang: str | None = None
) -> bool:
    """Keep what was learnt; a name never overwrites one from a surer source."""
    row = find(tx, CONTACT, contact_id)
    if row is None:
        return False
    values: dict[str, Any] = {}
    if name and NAME_SOURCES.index(source) >= NAME_SOURCES.index(row["name_source"]):
        values |= {"name": name[:200], "name_source": source}
    if lang:
        values["lang"] = lang
    return update(tx, CONTACT, row, values)


def set_blocked(tx: Tx, contact_id: str, blocked: bool) -> bool:
    """Block or unblock a sender: what they write is kept, nobody answers, nothing leaves to them."""
    return update(
        tx,
        CONTACT,
        get(tx, CONTACT, contact_id),
        {"blocked": blocked},
        action="blocked" if blocked else "unblocked",
    )
