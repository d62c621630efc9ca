"""The database: engine, transactions, column types, migrations. Synchronous; SQLite or PostgreSQL."""

from bot.storage.database import Database
from bot.storage.schema import Id, Instant, Json, metadata

__all__ = ["Database", "Id", "Instant", "Json", "metadata"]
