"""Activities: a calendar, series, links to many records, guests, invitations, feeds; files of records."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from bot.ids import new_id

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

Id = sa.Uuid(as_uuid=False).with_variant(sa.String(36), "sqlite")
Instant = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

NO, NONE = sa.text("false"), sa.text("0")
ADDED: tuple[tuple[str, Any, Any], ...] = (
    ("priority", sa.String(10), None),
    ("starts_at", Instant, None),
    ("ends_at", Instant, None),
    ("all_day", sa.Boolean, NO),
    ("location", sa.String(300), None),
    ("reminder_minutes", sa.Integer, None),
    ("rrule", sa.String(300), None),
    ("zone", sa.String(60), None),
    ("series_id", Id, None),
    ("occurs_at", Instant, None),
    ("detached", sa.Boolean, NO),
    ("invite", sa.Boolean, NO),
    ("sequence", sa.Integer, NONE),
)
TABLES = ("calendar_feeds", "file_versions", "files", "invitations", "activity_series", "attendees")
BATCH = 1000


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


def _index(table: str, **indexes: list[str]) -> None:
    for name, columns in indexes.items():
        op.create_index(f"ix_{table}_{name}", table, columns)


def _about_nothing(*, allowed: bool) -> None:
    """Whether a task may be about nothing. SQLite takes that only with the table written anew; its own words
    for it are used, so that nothing else of it changes."""
    if op.get_bind().dialect.name == "postgresql":
        for name in ("about", "about_id"):
            op.alter_column("activities", name, nullable=allowed)
        return
    words = sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'activities' AND sql IS NOT NULL")
    schema = [(row.type, row.sql) for row in op.get_bind().execute(words)]
    (table,) = [sql for kind, sql in schema if kind == "table"]
    for column in ("about VARCHAR(20)", "about_id VARCHAR(36)"):
        pair = (f"{column} NOT NULL", column)
        before, after = pair if allowed else pair[::-1]
        assert table.count(f"{before},") == 1, table
        table = table.replace(f"{before},", f"{after},")
    name = "CREATE TABLE activities" if "CREATE TABLE activities" in table else 'CREATE TABLE "activities"'
    op.execute(sa.text(table.replace(name, "CREATE TABLE activities_anew", 1).replace(":", r"\:")))
    op.execute("INSERT INTO activities_anew SELECT * FROM activities")
    op.drop_table("activities")
    op.rename_table("activities_anew", "activities")
    for kind, sql in schema:
        if kind == "index":
            op.execute(sa.text(sql.replace(":", r"\:")))


def _widen() -> None:
    _about_nothing(allowed=True)
    for name, kind, default in ADDED:
        op.add_column("activities", sa.Column(name, kind, nullable=default is None, server_default=default))
    op.create_index("ix_activities_starts", "activities", ["starts_at", "id"])
    op.create_index("uq_activities_occurrence", "activities", ["series_id", "occurs_at"], unique=True)


def _links() -> None:
    table = _record(
        "activity_links",
        _points("activity_id", "activities", nullable=False),
        sa.Column("entity", sa.String(20), nullable=False),
        sa.Column("record_id", Id, nullable=False),
        sa.Column("first", sa.Boolean, nullable=False),
        sa.UniqueConstraint(
            "activity_id", "entity", "record_id", name="uq_activity_links_activity_id_entity_record_id"
        ),
    )
    _index("activity_links", record=["record_id", "id"])
    for rows in _batches():
        op.bulk_insert(table, rows)


def _batches() -> Iterator[list[dict[str, Any]]]:
    """The first link of every activity there is."""
    after = "00000000-0000-0000-0000-000000000000"
    activities = sa.table(
        "activities",
        sa.column("id", Id),
        sa.column("about", sa.String),
        sa.column("about_id", Id),
        sa.column("created_at", Instant),
    )
    while True:
        some = sa.select(activities).where(activities.c.id > after).order_by(activities.c.id).limit(BATCH)
        found = op.get_bind().execute(some).all()
        if not found:
            return
        after = found[-1].id
        yield [
            {
                "id": new_id(),
                "activity_id": row.id,
                "entity": row.about,
                "record_id": row.about_id,
                "first": True,
                "created_at": row.created_at,
                "updated_at": row.created_at,
                "version": 1,
            }
            for row in found
        ]


def _guests() -> None:
    _record(
        "attendees",
        _points("activity_id", "activities", nullable=False),
        sa.Column("series_id", Id),
        _points("contact_id", "contacts"),
        _points("user_id", "users"),
        sa.Column("email", sa.String(320)),
        sa.Column("name", sa.String(200)),
        sa.Column("required", sa.Boolean, nullable=False),
        sa.Column("answer", sa.String(12), nullable=False),
        sa.Column("answered_at", Instant),
        sa.Column("comment", sa.String(500)),
    )
    for name in ("activity_id", "series_id", "contact_id", "user_id", "email"):
        op.create_index(f"ix_attendees_{name}", "attendees", [name])
    op.create_table(
        "activity_series",
        sa.Column("id", Id, nullable=False),
        sa.Column("uid", Id, nullable=False),
        sa.Column("rrule", sa.String(300), nullable=False),
        sa.Column("zone", sa.String(60), nullable=False),
        sa.Column("starts_at", Instant, nullable=False),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("template", Json),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("filled_until", Instant),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activity_series"),
    )
    _index("activity_series", uid=["uid"], filled=["ended", "filled_until"])
    op.create_table(
        "invitations",
        sa.Column("id", Id, nullable=False),
        sa.Column("uid", Id, nullable=False),
        sa.Column("occurrence", sa.String(20), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("activity_id", Id, nullable=False),
        sa.Column("attendee_id", Id, nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("due", sa.Boolean, nullable=False),
        sa.Column("mailed_sequence", sa.Integer),
        sa.Column("mailed_at", Instant),
        sa.Column("error", sa.String(300)),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("uid", "occurrence", "email", name="uq_invitations_uid_occurrence_email"),
    )
    _index("invitations", due=["due", "id"])
    op.create_table(
        "calendar_feeds",
        sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("secret", sa.String(40), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_calendar_feeds"),
    )


def _files() -> None:
    _record(
        "files",
        sa.Column("entity", sa.String(20), nullable=False),
        sa.Column("record_id", Id, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("mime", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("expires_on", sa.Date),
        sa.Column("private", sa.Boolean, nullable=False),
        _points("owner_id", "users"),
        _points("contact_id", "contacts"),
    )
    _index("files", record=["record_id", "id"], expires=["expires_on", "id"])
    _index("files", owner_id=["owner_id"], contact_id=["contact_id"])
    _record(
        "file_versions",
        _points("file_id", "files", nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("mime", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("ref", sa.String(80), nullable=False),
        _points("author_id", "users"),
        sa.UniqueConstraint("file_id", "revision", name="uq_file_versions_file_id_revision"),
    )
    _index("file_versions", ref=["ref"])


def upgrade() -> None:
    _widen()
    _links()
    _guests()
    _files()


def downgrade() -> None:
    # An earlier version does not know these timers.
    op.execute("DELETE FROM timers WHERE kind IN ('activity_reminder', 'activity_overdue', 'file_expiry')")
    for name in (*TABLES, "activity_links"):
        op.drop_table(name)
    # What is about nothing is about itself: an earlier version shows it nowhere, and nothing is lost.
    op.execute("UPDATE activities SET about = 'activities', about_id = id WHERE about IS NULL")
    op.drop_index("uq_activities_occurrence", "activities")
    op.drop_index("ix_activities_starts", "activities")
    for name, _kind, _default in reversed(ADDED):
        op.drop_column("activities", name)
    _about_nothing(allowed=False)
