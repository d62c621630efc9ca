"""Accounts: the companies that contacts belong to."""

import sqlalchemy as sa

from bot.records.entity import entity
from bot.records.tx import Tx, create
from bot.storage import Id

ACCOUNT = entity(
    "accounts",
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("domain", sa.String(253)),
    sa.Column("owner_id", Id, sa.ForeignKey("users.id"), index=True),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id"), index=True),
)


def add_account(tx: Tx, name: str, *, domain: str | None = None, owner_id: str | None = None) -> str:
    """A new account; returns the id."""
    team = tx.actor.team_id if owner_id else None
    return create(tx, ACCOUNT, {"name": name, "domain": domain, "owner_id": owner_id, "team_id": team})
