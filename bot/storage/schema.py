"""Column types that mean the same on both databases, and the one `metadata` all tables join."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String, TypeDecorator, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class _TextUuid(TypeDecorator[str]):
    """A `uuid` that the driver reads as text (see `Database`): nothing is left to be done with it."""

    impl = Uuid(as_uuid=False)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """None: PostgreSQL reads the text."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """None: the driver's value is ours."""


Id = _TextUuid().with_variant(String(36), "sqlite")
"""A UUIDv7 as 36 characters in Python; `uuid` in PostgreSQL, text in SQLite: both sort by time."""

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON value."""


class _IsoInstant(TypeDecorator[datetime]):
    """UTC moments as fixed-width ISO text, which sorts as time does."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """`2026-01-31T09:30:00.000000+00:00`."""
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """An aware datetime in UTC."""
        return None if value is None else datetime.fromisoformat(value)


Instant = DateTime(timezone=True).with_variant(_IsoInstant(), "sqlite")
"""A moment in UTC, microseconds."""
