"""Records: accounts in trees, opportunities, relations, territories, categories, tags, shares, and what
admins define (fields, rules, permissions).
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from bot import clock
from bot.ids import new_id

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

MAIN = ("accounts", "contacts", "leads", "cases", "activities")
OWNED = {"territory_id": "territories", "category_id": "categories"}
ADDED: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "accounts": {
        "kind": sa.String(10),
        "industry": sa.String(80),
        "website": sa.String(200),
        "phone": sa.String(40),
        "address": sa.Text(),
        "city": sa.String(80),
        "region": sa.String(80),
        "country": sa.String(2),
        "employees": sa.Integer(),
        "revenue": sa.BigInteger(),
        "currency": sa.String(3),
    },
    "contacts": {
        "title": sa.String(100),
        "address": sa.Text(),
        "city": sa.String(80),
        "region": sa.String(80),
        "country": sa.String(2),
        "birthday": sa.Date(),
        "description": sa.Text(),
    },
}
INDEXES = {
    "ix_accounts_parent_id": ("accounts", ["parent_id"]),
    "ix_accounts_name": ("accounts", ["name", "id"]),
    "ix_accounts_domain": ("accounts", ["domain"]),
    "ix_contacts_name": ("contacts", ["name", "id"]),
    "ix_leads_status": ("leads", ["status", "id"]),
    "ix_cases_account_id": ("cases", ["account_id"]),
    "ix_cases_status": ("cases", ["status", "id"]),
    "ix_activities_due": ("activities", ["due_at", "id"]),
}
STAGES = (
    ("Qualification", 10, "open"),
    ("Needs analysis", 20, "open"),
    ("Proposal", 50, "open"),
    ("Negotiation", 80, "open"),
    ("Won", 100, "won"),
    ("Lost", 0, "lost"),
)


def _record(name: str, *columns: sa.Column[Any] | sa.Constraint) -> sa.Table:
    """A table of records: id, moments and version around the columns."""
    return op.create_table(
        name,
        sa.Column("id", Id, nullable=False),
        *columns,
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("deleted_at", Instant),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )


def _points(name: str, table: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Id, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _add_pointing(table: str, name: str, to: str) -> None:
    """SQLite takes a reference with a new column only as one statement."""
    kind = "UUID" if op.get_bind().dialect.name == "postgresql" else "VARCHAR(36)"
    op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind} REFERENCES {to} (id)")


def _definitions() -> None:
    _record(
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
        sa.UniqueConstraint("entity", "name", name="uq_custom_fields_entity_name"),
    )
    _record(
        "validation_rules",
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("field", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("pattern", sa.String(300)),
        sa.Column("condition", sa.Text),
        sa.Column("message", sa.String(300)),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    _record(
        "access_rules",
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("field", sa.String(60), nullable=False),
        sa.Column("may", sa.String(40), nullable=False),
        sa.UniqueConstraint("role", "entity", "field", name="uq_access_rules_role_entity_field"),
    )
    _record(
        "shares",
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("record_id", Id, nullable=False),
        _points("user_id", "users"),
        _points("team_id", "teams"),
        sa.Column("level", sa.String(10), nullable=False),
        _points("shared_by", "users"),
    )
    op.create_index("ix_shares_user", "shares", ["user_id", "entity"])
    op.create_index("ix_shares_team", "shares", ["team_id", "entity"])
    op.create_index("ix_shares_record", "shares", ["record_id"])
    op.create_table(
        "taggings",
        sa.Column("record_id", Id, nullable=False),
        sa.Column("tag", sa.String(60), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "tag", name="pk_taggings"),
    )
    op.create_index("ix_taggings_tag", "taggings", ["entity", "tag", "record_id"])


def _places() -> None:
    _record(
        "territories",
        sa.Column("name", sa.String(100), nullable=False),
        _points("parent_id", "territories"),
        sa.UniqueConstraint("name", name="uq_territories_name"),
    )
    _record(
        "territory_members",
        _points("territory_id", "territories", nullable=False),
        _points("user_id", "users", nullable=False),
        sa.UniqueConstraint("territory_id", "user_id", name="uq_territory_members_territory_id_user_id"),
    )
    op.create_index("ix_territory_members_user", "territory_members", ["user_id"])
    _record(
        "categories",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        _points("parent_id", "categories"),
        sa.UniqueConstraint("entity", "name", name="uq_categories_entity_name"),
    )


def _widen() -> None:
    """What the records of the floor gain."""
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            default = "company" if name == "kind" else None
            op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    _add_pointing("accounts", "parent_id", "accounts")
    _add_pointing("cases", "account_id", "accounts")
    for table in MAIN:
        for name, to in OWNED.items():
            _add_pointing(table, name, to)
        op.add_column(table, sa.Column("tags", Json))
        op.add_column(table, sa.Column("custom", Json))
        _index_owners(table)
        op.drop_index(f"ix_{table}_owner_id", table)
        op.drop_index(f"ix_{table}_team_id", table)
    op.execute("ALTER TABLE leads RENAME COLUMN budget_minor TO budget")
    for name, (table, indexed) in INDEXES.items():
        op.create_index(name, table, indexed)


def _index_owners(table: str) -> None:
    for name in ("owner", "team", "territory", "category"):
        op.create_index(f"ix_{table}_{name}", table, [f"{name}_id", "id"])


def _sales() -> None:
    stages = _record(
        "stages",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("probability", sa.Integer, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.UniqueConstraint("name", name="uq_stages_name"),
    )
    now = clock.now()
    moments = {"created_at": now, "updated_at": now, "version": 1}
    if op.get_bind().dialect.name == "sqlite":
        moments |= {"created_at": now.isoformat(timespec="microseconds")}
        moments |= {"updated_at": moments["created_at"]}
    op.bulk_insert(
        stages,
        [
            {
                "id": new_id(),
                "name": name,
                "position": place,
                "probability": odds,
                "status": status,
                **moments,
            }
            for place, (name, odds, status) in enumerate(STAGES)
        ],
    )
    _record(
        "opportunities",
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        _points("account_id", "accounts"),
        _points("contact_id", "contacts"),
        _points("lead_id", "leads"),
        sa.Column("stage", sa.String(60), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("probability", sa.Integer),
        sa.Column("amount", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("close_date", sa.Date),
        sa.Column("closed_at", Instant),
        sa.Column("source", sa.String(40)),
        sa.Column("next_step", sa.String(200)),
        sa.Column("description", sa.Text),
        _points("owner_id", "users"),
        _points("team_id", "teams"),
        _points("territory_id", "territories"),
        _points("category_id", "categories"),
        sa.Column("tags", Json),
        sa.Column("custom", Json),
        sa.UniqueConstraint("number", name="uq_opportunities_number"),
    )
    for name in ("stage", "status", "close_date", "name"):
        op.create_index(f"ix_opportunities_{name}", "opportunities", [name, "id"])
    for name in ("account_id", "contact_id"):
        op.create_index(f"ix_opportunities_{name}", "opportunities", [name])
    _index_owners("opportunities")


def _relations() -> None:
    _record(
        "affiliations",
        _points("contact_id", "contacts", nullable=False),
        _points("account_id", "accounts", nullable=False),
        sa.Column("title", sa.String(100)),
        sa.Column("since", sa.Date),
        sa.Column("until", sa.Date),
        sa.UniqueConstraint("contact_id", "account_id", name="uq_affiliations_contact_id_account_id"),
    )
    op.create_index("ix_affiliations_account", "affiliations", ["account_id", "id"])
    _record(
        "contact_links",
        _points("contact_id", "contacts", nullable=False),
        _points("other_id", "contacts", nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("influence", sa.String(10)),
        sa.Column("note", sa.String(500)),
        sa.UniqueConstraint(
            "contact_id", "other_id", "kind", name="uq_contact_links_contact_id_other_id_kind"
        ),
    )
    op.create_index("ix_contact_links_other", "contact_links", ["other_id", "id"])
    _record(
        "stakeholders",
        _points("opportunity_id", "opportunities", nullable=False),
        _points("contact_id", "contacts", nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("influence", sa.String(10)),
        sa.Column("note", sa.String(500)),
        sa.UniqueConstraint("opportunity_id", "contact_id", name="uq_stakeholders_opportunity_id_contact_id"),
    )
    op.create_index("ix_stakeholders_contact", "stakeholders", ["contact_id", "id"])


def _sort_by_code_point(tables: tuple[str, ...], collation: str) -> None:
    """PostgreSQL: names sort by code point, as in SQLite, and an index serves that order."""
    if op.get_bind().dialect.name == "postgresql":
        for table in tables:
            op.execute(f'ALTER TABLE {table} ALTER COLUMN name TYPE VARCHAR(200) COLLATE "{collation}"')


def upgrade() -> None:
    _definitions()
    _places()
    _sort_by_code_point(("accounts", "contacts"), "C")
    _widen()
    _sales()
    _sort_by_code_point(("opportunities",), "C")
    _relations()
    op.execute("UPDATE counters SET name = name || 's' WHERE name IN ('case', 'lead')")


def downgrade() -> None:
    op.execute("UPDATE counters SET name = substr(name, 1, 4) WHERE name IN ('cases', 'leads')")
    for name in ("stakeholders", "contact_links", "affiliations", "opportunities", "stages"):
        op.drop_table(name)
    for name, (table, _columns) in INDEXES.items():
        op.drop_index(name, table)
    op.execute("ALTER TABLE leads RENAME COLUMN budget TO budget_minor")
    for table in MAIN:
        for name in ("owner", "team", "territory", "category"):
            op.drop_index(f"ix_{table}_{name}", table)
        for name in (*OWNED, "tags", "custom"):
            op.drop_column(table, name)
        op.create_index(f"ix_{table}_owner_id", table, ["owner_id"])
        op.create_index(f"ix_{table}_team_id", table, ["team_id"])
    op.drop_column("cases", "account_id")
    op.drop_column("accounts", "parent_id")
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
    _sort_by_code_point(("accounts", "contacts"), "default")
    for name in ("categories", "territory_members", "territories", "taggings", "shares"):
        op.drop_table(name)
    for name in ("access_rules", "validation_rules", "custom_fields"):
        op.drop_table(name)
