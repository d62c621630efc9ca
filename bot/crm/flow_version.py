"""Versions of flows that a business wrote itself. What a flow is, `bot.dialogs` knows."""

import sqlalchemy as sa

from bot.records.entity import entity
from bot.storage import Id, Instant

FLOW_STATES = ("draft", "published", "retired")
PUBLISHED = "flows"
"""The topic of the notice that flows changed: every process reads them again."""

FLOW_VERSION = entity(
    "flow_versions",
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("made_by", Id, sa.ForeignKey("users.id")),
    sa.Column("published_by", Id, sa.ForeignKey("users.id")),
    sa.Column("published_at", Instant),
    sa.UniqueConstraint("name", "number"),
    enums={"state": FLOW_STATES},
    defaults={"state": "draft"},
    scope="open",
    long=("source",),
    notice=PUBLISHED,
    title="name",
)
"""`number` is the flow's version; `source` its YAML. At most one version of a flow is published; a retired
one finishes the conversations that began on it."""
