"""Message templates: texts that a provider approved beforehand, the only ones that may open a closed window.

They are written and approved at the provider; we keep a copy, so that staff can choose, fill in and look at
them. The provider's own id finds a template again when its text or state changes.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bot.messages import Button, Template, TemplatePart
from bot.records.entity import entity
from bot.records.tx import Record, Tx
from bot.records.write import create, get, update
from bot.storage import Id, Instant, Json

STATES = ("approved", "pending", "rejected", "paused", "disabled")
CATEGORIES = ("utility", "marketing", "authentication")
PAGE = 500

TEMPLATE = entity(
    "templates",
    sa.Column("channel_account_id", Id, sa.ForeignKey("channel_accounts.id"), nullable=False),
    sa.Column("external_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(512), nullable=False),
    sa.Column("lang", sa.String(15), nullable=False),
    sa.Column("category", sa.String(20), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    # Why the provider rejected or paused it, in its own words.
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("header", sa.Text, nullable=False),
    # What file heads it: image, video, document; empty: none.
    sa.Column("header_file", sa.String(10), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("footer", sa.Text, nullable=False),
    sa.Column("buttons", Json, nullable=False),
    # [[part, name, example], …]: what must be filled in.
    sa.Column("params", Json, nullable=False),
    sa.Column("synced_at", Instant, nullable=False),
    sa.UniqueConstraint("channel_account_id", "external_id"),
    enums={"status": STATES, "category": CATEGORIES},
    scope="open",
)
_t = TEMPLATE.table


def keep(tx: Tx, account_id: str, found: Sequence[Template]) -> None:
    """Make our copy what the provider has now."""
    known = {
        row["external_id"]: row for row in tx.rows(sa.select(_t).where(_t.c.channel_account_id == account_id))
    }
    for one in found:
        values = _values(one)
        row = known.pop(one.external_id, None)
        if row is None:
            create(tx, TEMPLATE, values | {"channel_account_id": account_id, "synced_at": tx.now})
            continue
        values["deleted_at"] = None
        different = {name: value for name, value in values.items() if row[name] != value}
        if different:
            update(tx, TEMPLATE, row, different)
    for row in known.values():
        if row["deleted_at"] is None:
            update(tx, TEMPLATE, row, {"deleted_at": tx.now}, action="deleted")
    tx.execute(_t.update().where(_t.c.channel_account_id == account_id).values(synced_at=tx.now))


def _values(one: Template) -> dict[str, Any]:
    return {
        "external_id": one.external_id,
        "name": one.name[:512],
        "lang": one.lang[:15],
        "category": one.category if one.category in CATEGORIES else "utility",
        "status": one.status if one.status in STATES else "disabled",
        "reason": one.reason[:500],
        "header": one.header,
        "header_file": one.header_file,
        "body": one.body,
        "footer": one.footer,
        "buttons": [[button.id, button.title] for button in one.buttons],
        "params": [[part.part, part.name, part.example] for part in one.params],
    }


def templates_of(tx: Tx, account_id: str | None = None, *, usable: bool = False) -> list[Record]:
    """Templates by name and language, of one account or of all; `usable`: those that may be sent."""
    tx.require("read", "templates")
    statement = sa.select(_t).where(_t.c.deleted_at.is_(None))
    if account_id is not None:
        statement = statement.where(_t.c.channel_account_id == account_id)
    if usable:
        statement = statement.where(_t.c.status == "approved")
    return tx.rows(statement.order_by(_t.c.name, _t.c.lang).limit(PAGE))


def ask_for_news(tx: Tx) -> None:
    """Have the providers' templates read again now."""
    tx.require("update", "templates")
    tx.notify("template", "")


def get_template(tx: Tx, template_id: str) -> Record:
    """One of them. Raises NotFound, Forbidden."""
    return get(tx, TEMPLATE, template_id)


def as_template(row: Record) -> Template:
    """A row as the channels know it."""
    return Template(
        external_id=row["external_id"],
        name=row["name"],
        lang=row["lang"],
        category=row["category"],
        status=row["status"],
        reason=row["reason"],
        header=row["header"],
        header_file=row["header_file"],
        body=row["body"],
        footer=row["footer"],
        buttons=tuple(Button(*button) for button in row["buttons"]),
        params=tuple(TemplatePart(*part) for part in row["params"]),
    )
