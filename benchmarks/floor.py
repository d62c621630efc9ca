"""The floor of `bench turn`: one turn's minimal statements, by hand, on the raw drivers.

Frozen: it is the measure, so it never grows. Four commits, as the pipe has: store the event; claim the lane
and read; commit the turn; record the receipt. Same tables, same durability, known sender, no thinking.
"""

import asyncio
import json
import sqlite3
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

EVENT = json.dumps({"external_id": "wamid.x", "text": "How long is the warranty on refrigerators?"})
STATE = json.dumps({"stack": [], "failed": 0})
OUT = json.dumps({"text": "Ten years on the compressor.", "automatic": True})
ANSWER = "Ten years on the compressor."


def _id() -> str:
    return str(uuid.uuid4())


class SqliteFloor:
    """Turns one after another: SQLite has one writer."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=15, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=FULL")
        self._lanes: list[tuple[str, str, str, str]] = self._db.execute(
            "SELECT id, channel_account_id, conversation_id, contact_id FROM lanes WHERE conversation_id IS NOT NULL"
        ).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def turn(self, number: int) -> None:
        """One turn of one of the known senders."""
        run, now = self._db.execute, datetime.now(UTC).isoformat()
        lane, account, conversation, contact = self._lanes[number % len(self._lanes)]
        run("BEGIN IMMEDIATE")
        (seq,) = run(
            "INSERT INTO inbox (channel_account_id, event_key, lane_id, kind, payload, provider_at, received_at,"
            " state, attempts, correlation_id) VALUES (?,?,?,?,?,?,?,'pending',0,?)"
            " ON CONFLICT DO NOTHING RETURNING seq",
            (account, _id(), lane, "message", EVENT, now, now, "c"),
        ).fetchone()
        run("COMMIT")
        run("BEGIN IMMEDIATE")
        run(
            "UPDATE lanes SET epoch=epoch+1, lease_until=? WHERE id=? RETURNING epoch", (now, lane)
        ).fetchone()
        run(
            "SELECT * FROM inbox WHERE lane_id=? AND state='pending' ORDER BY provider_at, seq", (lane,)
        ).fetchall()
        run(
            "SELECT c.*, p.name, p.lang, p.blocked FROM conversations c JOIN contacts p ON p.id=c.contact_id"
            " WHERE c.id=?",
            (conversation,),
        ).fetchone()
        run("COMMIT")
        told, answer = _id(), _id()
        run("BEGIN IMMEDIATE")
        run("UPDATE lanes SET lease_until=NULL WHERE id=?", (lane,))
        run(
            "UPDATE conversations SET state=?, last_text=?, last_message_at=?, last_inbound_at=?, version=version+1"
            " WHERE id=?",
            (STATE, ANSWER, now, now, conversation),
        )
        self._db.executemany(
            "INSERT INTO messages (id, conversation_id, contact_id, channel, direction, author, text, status,"
            " status_rank, external_id, created_at) VALUES (?,?,?,'whatsapp',?,?,?,?,?,?,?)",
            [
                (told, conversation, contact, "inbound", "contact", "How long?", "received", 9, "w", now),
                (answer, conversation, contact, "outbound", "bot", ANSWER, "queued", 0, None, now),
            ],
        )
        run(
            "INSERT INTO outbox (id, conversation_id, lane_id, author, purpose, owner_epoch, payload, state,"
            " attempts, resends, correlation_id, created_at) VALUES (?,?,?,'bot','answer',0,?,'sending',0,0,'c',?)",
            (answer, conversation, lane, OUT, now),
        )
        self._db.executemany(
            "INSERT INTO events (id, at, actor_kind, entity, record_id, action, contact_id, reason, correlation_id)"
            " VALUES (?,?,'bot','messages',?,?,?,'','c')",
            [(_id(), now, told, "received", contact), (_id(), now, answer, "written", contact)],
        )
        run("UPDATE inbox SET state='done', payload=NULL WHERE seq=?", (seq,))
        run("COMMIT")
        run("BEGIN IMMEDIATE")
        run("UPDATE outbox SET state='sent', attempts=1 WHERE id=?", (answer,))
        run("UPDATE messages SET status='sent', status_rank=2, external_id=? WHERE id=?", (_id(), answer))
        run("COMMIT")


class PostgresFloor:
    """Sixteen connections, each one turn at a time."""

    def __init__(self, host: str, name: str, connections: int) -> None:
        self._where = {"host": host, "database": name, "user": "samvad"}
        self._count = connections
        self._free: asyncio.Queue[Any] = asyncio.Queue()
        self._lanes: list[Any] = []

    async def open(self) -> None:
        """Connect."""
        for _ in range(self._count):
            self._free.put_nowait(await asyncpg.connect(**self._where))
        connection = self._free.get_nowait()
        self._lanes = await connection.fetch(
            "SELECT id, channel_account_id, conversation_id, contact_id FROM lanes WHERE conversation_id IS NOT NULL"
        )
        self._free.put_nowait(connection)

    async def close(self) -> None:
        """Disconnect."""
        while not self._free.empty():
            await self._free.get_nowait().close()

    async def turn(self, number: int) -> None:
        """One turn of one of the known senders."""
        db = await self._free.get()
        try:
            await self._turn(db, self._lanes[number % len(self._lanes)])
        finally:
            self._free.put_nowait(db)

    async def _turn(self, db: Any, lane: Any) -> None:
        now, id_, conversation, contact = (
            datetime.now(UTC),
            lane["id"],
            lane["conversation_id"],
            lane["contact_id"],
        )
        async with db.transaction():
            seq = await db.fetchval(
                "INSERT INTO inbox (channel_account_id, event_key, lane_id, kind, payload, provider_at,"
                " received_at, state, attempts, correlation_id) VALUES ($1,$2,$3,$4,$5,$6,$6,'pending',0,'c')"
                " ON CONFLICT DO NOTHING RETURNING seq",
                *(lane["channel_account_id"], _id(), id_, "message", EVENT, now),
            )
        async with db.transaction():
            await db.fetchval(
                "UPDATE lanes SET epoch=epoch+1, lease_until=$1 WHERE id=$2 RETURNING epoch", now, id_
            )
            await db.fetch(
                "SELECT * FROM inbox WHERE lane_id=$1 AND state='pending' ORDER BY provider_at, seq", id_
            )
            await db.fetchrow(
                "SELECT c.*, p.name, p.lang, p.blocked FROM conversations c JOIN contacts p ON p.id=c.contact_id"
                " WHERE c.id=$1",
                conversation,
            )
        told, answer = uuid.uuid4(), uuid.uuid4()
        async with db.transaction():
            await self._commit(db, now, id_, conversation, contact, told, answer, seq)
        async with db.transaction():
            await db.execute("UPDATE outbox SET state='sent', attempts=1 WHERE id=$1", answer)
            await db.execute(
                "UPDATE messages SET status='sent', status_rank=2, external_id=$1 WHERE id=$2", _id(), answer
            )

    async def _commit(
        self,
        db: Any,
        now: datetime,
        lane: Any,
        conversation: Any,
        contact: Any,
        told: Any,
        answer: Any,
        seq: int,
    ) -> None:
        await db.execute("UPDATE lanes SET lease_until=NULL WHERE id=$1", lane)
        await db.execute(
            "UPDATE conversations SET state=$1, last_text=$2, last_message_at=$3, last_inbound_at=$3,"
            " version=version+1 WHERE id=$4",
            *(STATE, ANSWER, now, conversation),
        )
        await db.executemany(
            "INSERT INTO messages (id, conversation_id, contact_id, channel, direction, author, text, status,"
            " status_rank, external_id, created_at) VALUES ($1,$2,$3,'whatsapp',$4,$5,$6,$7,$8,$9,$10)",
            [
                (told, conversation, contact, "inbound", "contact", "How long?", "received", 9, "w", now),
                (answer, conversation, contact, "outbound", "bot", ANSWER, "queued", 0, None, now),
            ],
        )
        await db.execute(
            "INSERT INTO outbox (id, conversation_id, lane_id, author, purpose, owner_epoch, payload, state,"
            " attempts, resends, correlation_id, created_at) VALUES ($1,$2,$3,'bot','answer',0,$4,'sending',0,0,'c',$5)",
            *(answer, conversation, lane, OUT, now),
        )
        await db.executemany(
            "INSERT INTO events (id, at, actor_kind, entity, record_id, action, contact_id, reason, correlation_id)"
            " VALUES ($1,$2,'bot','messages',$3,$4,$5,'','c')",
            [(uuid.uuid4(), now, told, "received", contact), (uuid.uuid4(), now, answer, "written", contact)],
        )
        await db.execute("UPDATE inbox SET state='done', payload=NULL WHERE seq=$1", seq)
