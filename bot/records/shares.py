"""Shares: one record shown to a user or team who would not see it otherwise, to read or to change."""

import sqlalchemy as sa

from bot.records.actor import Actor
from bot.records.entity import EVERYTHING, Entity, entity
from bot.storage import Id

LEVELS = ("read", "write")


SHARE: Entity = entity(
    "shares",
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("user_id", Id, sa.ForeignKey("users.id")),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
    sa.Column("level", sa.String(10), nullable=False),
    sa.Column("shared_by", Id, sa.ForeignKey("users.id")),
    sa.Index("ix_shares_user", "user_id", "entity"),
    sa.Index("ix_shares_team", "team_id", "entity"),
    sa.Index("ix_shares_record", "record_id"),
    enums={"level": LEVELS},
    computed=("shared_by",),
    defaults={"level": "read"},
    takes=EVERYTHING,
    scope="parent",
)


def given_to(actor: Actor) -> sa.ColumnElement[bool]:
    """Shares with this user or their team."""
    table = SHARE.table
    mine = table.c.user_id == actor.id
    return mine if actor.team_id is None else sa.or_(mine, table.c.team_id == actor.team_id)


def shared_with(actor: Actor, kind: str, *, writing: bool) -> sa.Select[tuple[str]]:
    """The ids of records of this kind that are shared with the actor."""
    table = SHARE.table
    chosen = sa.select(table.c.record_id).where(
        table.c.entity == kind, table.c.deleted_at.is_(None), given_to(actor)
    )
    return chosen.where(table.c.level == "write") if writing else chosen
