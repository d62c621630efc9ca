"""What admins define about records: fields of their own, rules that values must obey, and who may do what.

`bot.records.schema` reads them once and again whenever one changes.
"""

import sqlalchemy as sa

from bot.records.actor import ROLES
from bot.records.entity import EVERYTHING, OWN_PREFIX, Entity, entity
from bot.storage import Json

CUSTOM_TYPES = ("text", "integer", "number", "boolean", "date", "instant", "enum", "money", "id")
VALIDATION_KINDS = ("required", "format", "unique")
CHANGED = "schema"
"""The topic of the notice that definitions changed: every process reads them again."""

CUSTOM_FIELD: Entity = entity(
    "custom_fields",
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("label", sa.String(100), nullable=False),
    sa.Column("type", sa.String(10), nullable=False),
    sa.Column("values", Json),
    sa.Column("target", sa.String(40)),
    sa.Column("currency", sa.String(3)),
    sa.Column("searchable", sa.Boolean, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.UniqueConstraint("entity", "name"),
    enums={"type": CUSTOM_TYPES},
    defaults={"name": "", "searchable": False, "position": 0},
    texts=("values",),
    takes=EVERYTHING,
    notice=CHANGED,
    scope="open",
    title="label",
)
f"""`name` begins with `{OWN_PREFIX}`; `values` are those of an enum; `target` the kind an id points to;
`currency` that of money."""

VALIDATION_RULE: Entity = entity(
    "validation_rules",
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("field", sa.String(60), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("pattern", sa.String(300)),
    sa.Column("condition", sa.Text),
    sa.Column("message", sa.String(300)),
    sa.Column("active", sa.Boolean, nullable=False),
    enums={"kind": VALIDATION_KINDS},
    defaults={"active": True},
    takes=EVERYTHING,
    notice=CHANGED,
    scope="open",
    title="field",
)
"""`pattern` is a regular expression that the whole value must match; `condition`, in the query language,
says for which records the rule holds; `message` is what the person who breaks it is told."""

ACCESS_RULE: Entity = entity(
    "access_rules",
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("entity", sa.String(40), nullable=False),
    sa.Column("field", sa.String(60), nullable=False),
    sa.Column("may", sa.String(40), nullable=False),
    sa.UniqueConstraint("role", "entity", "field"),
    enums={"role": ROLES},
    defaults={"field": ""},
    takes=EVERYTHING,
    notice=CHANGED,
    scope="open",
    title="role",
)
"""Without a field, `may` lists the actions of the role, separated by spaces; with one it is `hidden` or
`read_only`."""
