"""Files of records: any main record holds some, each with its versions, seen by who sees the record."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.crm.lead import LEAD
from bot.crm.opportunity import OPPORTUNITY
from bot.errors import InvalidInput
from bot.ids import new_id
from bot.records.actor import Actor
from bot.records.entity import Entity, entity
from bot.records.permissions import of_visible, require
from bot.records.timer import cancel_timer, set_timer
from bot.records.tx import Record, Tx
from bot.records.write import create, find, get, update
from bot.storage import Id

HOLDERS = (ACCOUNT, CONTACT, LEAD, OPPORTUNITY, CASE, ACTIVITY)
"""The kinds whose records hold files."""
EXPIRY = "file_expiry"
TOLD_BEFORE = (30, 7)
"""Days before its end at which a file's owner is told."""
MORNING = time(3, 30)
"""When they are told, UTC: nine in the morning in India."""
NAME_LIMIT = 200


def _seen(actor: Actor, writing: bool) -> sa.ColumnElement[bool] | None:
    """Files of records that the actor sees; a private one is its owner's, and the managers'."""
    table = FILE.table
    mine = of_visible(actor, HOLDERS, table.c.entity, table.c.record_id, writing=writing)
    if mine is None or actor.sees_everything:
        return mine
    return sa.and_(mine, sa.or_(table.c.private.is_(sa.false()), table.c.owner_id == actor.id))


def _prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    if "name" in values:
        values["name"] = clean_name(values["name"])
    if before is not None and values.get("private") and tx.actor.id != before["owner_id"]:
        require(tx.actor, "delete", "files")  # who hides a colleague's file might lose it for everybody


def clean_name(name: str) -> str:
    """A file's name without folders, whoever's slashes they are, nor line ends; not empty."""
    last = " ".join(name.replace("\\", "/").rpartition("/")[2].split())
    if not last.strip("."):
        raise InvalidInput("A file needs a name", field="name")
    if len(last) <= NAME_LIMIT:
        return last
    stem, dot, suffix = last.rpartition(".")
    tail = f"{dot}{suffix[:20]}"
    return f"{stem[: NAME_LIMIT - len(tail)]}{tail}" if stem else last[:NAME_LIMIT]


def _after(tx: Tx, before: Record | None, now: Record | None) -> None:
    """The reminders of its end follow the file."""
    was = before["expires_on"] if before is not None else None
    will = now["expires_on"] if now is not None else None
    row = now or before
    if was == will or row is None:
        return
    if will is None or not remind(tx, row["id"], will):
        cancel_timer(tx, EXPIRY, row["id"])


def remind(tx: Tx, file_id: str, expires_on: date) -> bool:
    """Set the next reminder of a file's end; False when none is to come."""
    for days in TOLD_BEFORE:
        moment = datetime.combine(expires_on - timedelta(days=days), MORNING, UTC)
        if moment > tx.now:
            set_timer(tx, EXPIRY, file_id, moment)
            return True
    return False


FILE: Entity = entity(
    "files",
    sa.Column("entity", sa.String(20), nullable=False),
    sa.Column("record_id", Id, nullable=False),
    sa.Column("name", sa.String(NAME_LIMIT), nullable=False),
    sa.Column("mime", sa.String(100), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("expires_on", sa.Date),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("owner_id", Id, sa.ForeignKey("users.id"), index=True),
    sa.Column("contact_id", Id, sa.ForeignKey("contacts.id"), index=True),
    sa.Index("ix_files_record", "record_id", "id"),
    sa.Index("ix_files_expires", "expires_on", "id"),
    personal=("name", "description"),
    computed=("entity", "record_id", "mime", "size", "revision", "owner_id", "contact_id"),
    search={"name": 3, "description": 1},
    long=("description",),
    defaults={"private": False, "revision": 1},
    title="name",
    prepare=_prepare,
    after=_after,
    about=("entity", "record_id"),
    takes=frozenset({"update", "delete"}),
    scope="parent",
    parent=_seen,
)
"""`mime` and `size` are those of the newest version, which `revision` numbers."""


def _of_seen_files(actor: Actor, writing: bool) -> sa.ColumnElement[bool] | None:
    mine = _seen(actor, writing)
    column = FILE_VERSION.table.c.file_id
    return None if mine is None else column.in_(sa.select(FILE.table.c.id).where(mine))


FILE_VERSION: Entity = entity(
    "file_versions",
    sa.Column("file_id", Id, sa.ForeignKey("files.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("name", sa.String(NAME_LIMIT), nullable=False),
    sa.Column("mime", sa.String(100), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("ref", sa.String(80), nullable=False, index=True),
    sa.Column("author_id", Id, sa.ForeignKey("users.id")),
    sa.UniqueConstraint("file_id", "revision"),
    personal=("name",),
    internal=("ref",),
    title="name",
    scope="parent",
    parent=_of_seen_files,
)
"""Every version of a file, the newest too; `ref` is where `bot.media` holds it."""


def add_file(
    tx: Tx,
    kind: str,
    record_id: str,
    *,
    name: str,
    mime: str,
    size: int,
    ref: str,
    description: str = "",
    expires_on: date | None = None,
    private: bool = False,
) -> str:
    """Put a stored file to a record that the actor may change; returns its id. Raises InvalidInput."""
    holder = holder_of(tx, kind, record_id)
    file_id = new_id()
    about = {"entity": kind, "record_id": record_id, "owner_id": tx.actor.id}
    about["contact_id"] = record_id if kind == "contacts" else holder.get("contact_id")
    what: dict[str, Any] = {"name": name, "mime": mime, "size": size, "revision": 1, "private": private}
    create(
        tx,
        FILE,
        {"id": file_id, **about, **what, "description": description or None, "expires_on": expires_on},
    )
    _keep(tx, file_id, 1, name=name, mime=mime, size=size, ref=ref)
    return file_id


def holder_of(tx: Tx, kind: str, record_id: str) -> Record:
    """The record that a file is to be put to. Raises InvalidInput, Forbidden."""
    tx.require("create", "files")
    if kind not in {one.name for one in HOLDERS}:
        names = ", ".join(one.name for one in HOLDERS)
        raise InvalidInput(f"Files are held by {names}, not by {kind[:40]!r}", field="entity")
    tx.require("update", kind)
    found = find(tx, tx.schema.entity(kind), record_id, writing=True)
    if found is None:
        raise InvalidInput(f"There is no such record in {kind} that you may change", field="record_id")
    return found


def add_version(tx: Tx, file_id: str, *, name: str, mime: str, size: int, ref: str) -> int:
    """A newer version of a file; returns its number. The same content again changes nothing."""
    before = get(tx, FILE, file_id, writing=True)
    table = FILE_VERSION.table
    newest = tx.row(
        sa.select(table).where(table.c.file_id == file_id, table.c.revision == before["revision"])
    )
    if newest is not None and newest["ref"] == ref:
        return int(before["revision"])
    revision = before["revision"] + 1
    values = {"name": name or before["name"], "mime": mime, "size": size}
    update(tx, FILE, before, {**values, "revision": revision}, action="replaced")
    _keep(tx, file_id, revision, ref=ref, **values)
    return int(revision)


def _keep(tx: Tx, file_id: str, revision: int, **what: Any) -> None:
    """An index of the store: the event is the file's own."""
    own = {"id": new_id(), "file_id": file_id, "revision": revision, "author_id": tx.actor.id, "version": 1}
    row = {**own, **what, "name": clean_name(what["name"]), "created_at": tx.now, "updated_at": tx.now}
    tx.execute(FILE_VERSION.table.insert(), row)


def find_version(tx: Tx, file_id: str, revision: int | None) -> Record:
    """A version of a file that the actor sees, by default the newest. Raises NotFound."""
    row = get(tx, FILE, file_id)
    table = FILE_VERSION.table
    wanted = row["revision"] if revision is None else revision
    found = tx.row(sa.select(table).where(table.c.file_id == file_id, table.c.revision == wanted))
    if found is None:
        raise InvalidInput(f"This file has the versions 1 to {row['revision']}", field="version")
    return found


def kept_refs(tx: Tx, refs: frozenset[str], before: datetime) -> set[str]:
    """Which of these stored files records still hold; those deleted before a moment hold nothing."""
    table = FILE_VERSION.table
    held = sa.or_(FILE.table.c.deleted_at.is_(None), FILE.table.c.deleted_at > before)
    some = sorted(refs)
    found: set[str] = set()
    for start in range(0, len(some), 500):
        statement = sa.select(table.c.ref).join(FILE.table, FILE.table.c.id == table.c.file_id)
        found |= set(tx.execute(statement.where(table.c.ref.in_(some[start : start + 500]), held)).scalars())
    return found
