"""The floor of `samvad bench crm`: the same reads and writes by hand, on the raw drivers.

Frozen: it is the measure, so it never grows. Every statement is what one would write who knows the answer's
shape, the indexes and who asks (an admin: no row is hidden from them).
"""

import json
import sqlite3
import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg

PAGE = 51
_COLUMNS = (
    "id, name, name_source, lang, account_id, title, address, city, region, country, birthday, description,"
    " owner_id, team_id, territory_id, category_id, tags, custom, blocked, demo, created_at, updated_at, version"
)
_EVENT = "id, at, actor_kind, actor_id, entity, record_id, action, changes, sealed, reason"
STATEMENTS = {
    "list": f"SELECT {_COLUMNS} FROM contacts WHERE deleted_at IS NULL AND id < $1 ORDER BY id DESC LIMIT {PAGE}",
    "filter": f"SELECT {_COLUMNS} FROM contacts WHERE deleted_at IS NULL AND owner_id = $1"
    f" ORDER BY id DESC LIMIT {PAGE}",
    "get": f"SELECT {_COLUMNS} FROM contacts WHERE id = $1 AND deleted_at IS NULL",
    "timeline": f"SELECT {_EVENT} FROM events WHERE contact_id = $1 ORDER BY id DESC LIMIT {PAGE}",
    "pipeline": "SELECT stage, currency, count(*), sum(amount) FROM opportunities"
    " WHERE deleted_at IS NULL AND status = 'open' GROUP BY stage, currency ORDER BY stage",
}
_SEARCH = (
    f"SELECT {_COLUMNS} FROM contacts WHERE deleted_at IS NULL AND id IN ({{}}) ORDER BY id DESC LIMIT {PAGE}"
)
_SEARCHED = {
    "postgresql": "SELECT found_id FROM search_entries WHERE found = 'contacts'"
    " AND array_to_tsvector(string_to_array(terms, ' ')) @@ $1::tsquery",
    "sqlite": "SELECT found_id FROM search_entries WHERE found = 'contacts'"
    " AND seq IN (SELECT rowid FROM search_index WHERE search_index MATCH $1)",
}
_PHONES = {
    "postgresql": "SELECT contact_id, kind, value FROM identities WHERE contact_id = ANY($1) ORDER BY id",
    "sqlite": "SELECT contact_id, kind, value FROM identities"
    " WHERE contact_id IN (SELECT value FROM json_each($1)) ORDER BY id",
}
_CONTACT = (
    "INSERT INTO contacts (id, name, name_source, blocked, demo, created_at, updated_at, version)"
    " VALUES ($1, $2, 'staff', false, false, $3, $3, 1)"
)
_IDENTITY = (
    "INSERT INTO identities (id, contact_id, kind, value, verified, created_at, updated_at, version)"
    " VALUES ($1, $2, 'phone', $3, false, $4, $4, 1)"
)
_LOGGED = (
    "INSERT INTO events (id, at, actor_kind, entity, record_id, action, contact_id, changes, reason,"
    " correlation_id) VALUES ($1, $2, 'user', $3, $4, 'created', $5, $6, '', '')"
)
_FOUND = (
    "INSERT INTO search_entries (entity, record_id, field, found, found_id, terms)"
    " VALUES ($1, $2, $3, 'contacts', $4, $5)"
)
WITH_PHONES = frozenset({"list", "filter", "get", "search"})


def _writes(given: tuple[str, ...], now: Any) -> list[tuple[str, tuple[Any, ...]]]:
    name, phone = given
    contact, identity = str(uuid.uuid4()), str(uuid.uuid4())
    changes = json.dumps({"name": [None, name]})
    digits = phone[1:]
    return [
        (_CONTACT, (contact, name, now)),
        (_IDENTITY, (identity, contact, phone, now)),
        (_LOGGED, (str(uuid.uuid4()), now, "contacts", contact, contact, changes)),
        (_LOGGED, (str(uuid.uuid4()), now, "identities", identity, contact, changes)),
        (_FOUND, ("contacts", contact, "name", contact, name.lower())),
        (_FOUND, ("identities", identity, "value", contact, f"{digits} {digits[2:]}")),
    ]


class PostgresFloor:
    """One asyncpg connection."""

    def __init__(self, connection: Any) -> None:
        self._db: asyncpg.Connection[Any] = connection

    @classmethod
    async def open(cls, host: str, database: str) -> "PostgresFloor":
        """Connect."""
        return cls(await asyncpg.connect(host=host, database=database, user="samvad"))

    async def close(self) -> None:
        """Disconnect."""
        await self._db.close()

    async def run(self, operation: str, *given: Any) -> int:
        """One operation; returns how many rows it read."""
        if operation == "create":
            async with self._db.transaction():
                for statement, values in _writes(given, datetime.now(UTC)):
                    await self._db.execute(statement, *values)
            return 0
        statement = STATEMENTS.get(operation) or _SEARCH.format(_SEARCHED["postgresql"])
        rows = await self._db.fetch(statement, *given)
        if operation in WITH_PHONES and rows:
            await self._db.fetch(_PHONES["postgresql"], [row["id"] for row in rows])
        return len(rows)


class SqliteFloor:
    """One connection of the standard library."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=15, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA cache_size=-32000")

    async def close(self) -> None:
        """Close the connection."""
        self._db.close()

    async def run(self, operation: str, *given: Any) -> int:
        """One operation; returns how many rows it read."""
        if operation == "create":
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in _writes(given, datetime.now(UTC).isoformat(timespec="microseconds")):
                self._db.execute(_numbered(statement), values)
            self._db.execute("COMMIT")
            return 0
        statement = STATEMENTS.get(operation) or _SEARCH.format(_SEARCHED["sqlite"])
        rows = self._db.execute(_numbered(statement), given).fetchall()
        if operation in WITH_PHONES and rows:
            self._db.execute(_numbered(_PHONES["sqlite"]), (json.dumps([row[0] for row in rows]),)).fetchall()
        return len(rows)


def _numbered(statement: str) -> str:
    """`$1` as SQLite's driver takes it."""
    return statement.replace("$", "?")
