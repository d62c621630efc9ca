"""Accounts: companies and households, which may belong to one another."""

from typing import Any

import sqlalchemy as sa

from bot.errors import Conflict, InvalidInput
from bot.records.entity import Entity, entity
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Id

ACCOUNT_KINDS = ("company", "household")
MAX_DEPTH = 20
"""How many accounts may stand above one another."""


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """An account is never above itself."""
    if values.get("domain"):
        values["domain"] = values["domain"].lower()
    above = values.get("parent_id")
    own = before["id"] if before is not None else values.get("id")
    table = ACCOUNT.table
    for _ in range(MAX_DEPTH):
        if above is None:
            return
        if above == own:
            raise InvalidInput("An account cannot belong to one that belongs to it", field="parent_id")
        above = tx.execute(sa.select(table.c.parent_id).where(table.c.id == above)).scalar()
    raise InvalidInput(f"Accounts stand at most {MAX_DEPTH} deep", field="parent_id")


def _guard(tx: Tx, row: Record) -> None:
    """An account with something open below it stays."""
    for kind, column, still_open in _CHILDREN:
        table = tx.schema.entity(kind).table
        statement = sa.select(table.c.id).where(table.c[column] == row["id"], table.c.deleted_at.is_(None))
        if still_open is not None:
            statement = statement.where(table.c.status.in_(still_open))
        if tx.execute(statement.limit(1)).scalar() is not None:
            raise Conflict(
                f"This account still has {kind}; move or close them first", kind=kind, reason="has_children"
            )


_CHILDREN: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("accounts", "parent_id", None),
    ("contacts", "account_id", None),
    ("opportunities", "account_id", ("open",)),
    ("cases", "account_id", ("new", "open", "pending")),
)
"""What keeps an account from being deleted, and in which statuses."""

ACCOUNT: Entity = entity(
    "accounts",
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("parent_id", Id, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("industry", sa.String(80)),
    sa.Column("website", sa.String(200)),
    sa.Column("domain", sa.String(253)),
    sa.Column("phone", sa.String(40)),
    sa.Column("address", sa.Text),
    sa.Column("city", sa.String(80)),
    sa.Column("region", sa.String(80)),
    sa.Column("country", sa.String(2)),
    sa.Column("employees", sa.Integer),
    sa.Column("revenue", sa.BigInteger),
    sa.Column("currency", sa.String(3)),
    sa.Index("ix_accounts_name", "name", "id"),
    sa.Index("ix_accounts_domain", "domain"),
    enums={"kind": ACCOUNT_KINDS},
    money={"revenue": "currency"},
    search={"name": 4, "domain": 2, "phone": 2, "city": 1},
    long=("address",),
    defaults={"kind": "company"},
    title="name",
    prepare=_prepare,
    guard=_guard,
    main=True,
)


def add_account(tx: Tx, name: str, *, domain: str | None = None, owner_id: str | None = None) -> str:
    """A new account; returns the id."""
    team = tx.actor.team_id if owner_id else None
    return create(tx, ACCOUNT, {"name": name, "domain": domain, "owner_id": owner_id, "team_id": team})
