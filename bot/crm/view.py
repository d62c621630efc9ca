"""Views: lists that people keep, each a condition, an order and columns, for themselves or for others."""

from typing import Any

import sqlalchemy as sa

from bot.errors import Forbidden
from bot.records.actor import Actor
from bot.records.entity import EVERYTHING, Entity, entity
from bot.records.tx import Record, Tx
from bot.storage import Id, Json, metadata
from bot.storage.upsert import insert

SHARED = ("me", "team", "all")


def _seen(actor: Actor, writing: bool) -> sa.ColumnElement[bool] | None:
    """One's own, and what colleagues share; only its maker or an admin changes a view."""
    if actor.kind != "user" or actor.role == "admin":
        return None
    table = VIEW.table
    mine = table.c.owner_id == actor.id
    if writing:
        return mine
    team = sa.and_(table.c.shared == "team", table.c.team_id == actor.team_id)
    return (
        sa.or_(mine, table.c.shared == "all", team)
        if actor.team_id
        else sa.or_(mine, table.c.shared == "all")
    )


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A view belongs to who made it, and to the team they were in."""
    if before is None:
        values["owner_id"], values["team_id"] = tx.actor.id, tx.actor.team_id
    if values.get("shared") == "all" and tx.actor.role not in ("admin", "manager"):
        raise Forbidden("Only a manager or an admin shares a view with everybody", field="shared")


VIEW: Entity = entity(
    "views",
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("sort", sa.String(300), nullable=False),
    sa.Column("columns", Json),
    sa.Column("shared", sa.String(10), nullable=False),
    sa.Column("owner_id", Id, sa.ForeignKey("users.id")),
    sa.Column("team_id", Id, sa.ForeignKey("teams.id")),
    sa.Index("ix_views_entity", "entity", "id"),
    enums={"shared": SHARED},
    computed=("owner_id", "team_id"),
    texts=("columns",),
    long=("condition",),
    defaults={"condition": "", "sort": "", "shared": "me"},
    scope="parent",
    parent=_seen,
    prepare=_prepare,
    takes=EVERYTHING,
    title="name",
)
"""`condition` and `sort` are in the query language; the languages' own words would not do as field names."""

# What a user's list of a kind begins with: a view's id, or the name of one that comes with Samvad.
view_defaults = sa.Table(
    "view_defaults",
    metadata,
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("entity", sa.String(40), primary_key=True),
    sa.Column("view", sa.String(60), nullable=False),
)


def begin_with(tx: Tx, kind: str, view: str) -> None:
    """The actor's list of a kind opens with this view from now on."""
    statement = insert(view_defaults, tx.dialect).values(user_id=tx.actor.id, entity=kind, view=view)
    keys = ["user_id", "entity"]
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_={"view": view}))


def beginning_of(tx: Tx, kind: str) -> str:
    """The view that the actor's list of a kind opens with; nothing where they chose none."""
    mine = view_defaults.c.user_id == tx.actor.id, view_defaults.c.entity == kind
    return tx.execute(sa.select(view_defaults.c.view).where(*mine)).scalar() or ""
