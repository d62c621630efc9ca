"""API keys: who calls, what the key is limited to, until when. Only a key's hash is kept."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.crm.user import USER, actor_of
from bot.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from bot.ids import new_id
from bot.records.actor import Actor
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.storage import Id, Instant, Json, metadata

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), nullable=False, index=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("name", sa.String(100)),
    sa.Column("scopes", Json),
    sa.Column("expires_at", Instant),
    sa.Column("last_used_at", Instant),
)
USED_EVERY = timedelta(minutes=1)
"""When a key was last used is known as exactly as this."""
_VERBS = ("read", "write")


def digest(secret: str) -> str:
    """What is kept of a key: it carries 256 random bits, so a plain hash keeps it as well as a slow one."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def make_api_key(
    tx: Tx,
    user_id: str,
    *,
    name: str = "",
    scopes: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """A new key of a user for the REST API; this is the one time it is seen. `scopes` (`contacts:read`,
    `cases:write`, `*:read`) limit it; none: all that the user may. Raises Forbidden, InvalidInput."""
    _require(tx, user_id)
    if expires_at is not None and expires_at <= tx.now:
        raise InvalidInput("A key ends in the future", field="expires_at")
    key = f"samvad_{secrets.token_urlsafe(32)}"
    row = {
        "id": new_id(),
        "user_id": user_id,
        "digest": digest(key),
        "created_at": tx.now,
        "name": name.strip()[:100] or None,
        "scopes": _checked(tx, scopes) or None,
        "expires_at": expires_at,
    }
    tx.execute(api_keys.insert(), row)
    tx.event(USER, user_id, "key_made", {"scopes": (None, row["scopes"])}, reason=name.strip()[:100])
    return key


def keys_of(tx: Tx, user_id: str) -> list[Record]:
    """A user's keys that are not revoked, newest first, without what opens anything. Raises Forbidden."""
    _require(tx, user_id)
    shown = [column for column in api_keys.c if column.name != "digest"]
    mine = sa.select(*shown).where(api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
    return tx.rows(mine.order_by(api_keys.c.id.desc()))


def revoke_key(tx: Tx, key_id: str) -> None:
    """End a key at once. Raises NotFound, also for somebody else's; Forbidden."""
    live = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    owner = tx.execute(sa.select(api_keys.c.user_id).where(live)).scalar()
    if owner is None or not _may(tx, owner):
        raise NotFound("There is no such key")
    _require(tx, owner)
    tx.execute(api_keys.update().where(live).values(revoked_at=tx.now))
    tx.event(USER, owner, "key_revoked")


def revoke_keys_of(tx: Tx, user_id: str) -> None:
    """End all keys of a user who leaves."""
    live = sa.and_(api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
    tx.execute(api_keys.update().where(live).values(revoked_at=tx.now))


def _may(tx: Tx, user_id: str) -> bool:
    """One's own keys; those of others who may change users; those of admins, only admins."""
    if tx.actor.id == user_id:
        return True
    if not allowed(tx.actor, "update", USER.name):
        return False
    if tx.actor.kind != "user" or tx.actor.role == "admin":
        return True
    role = tx.execute(sa.select(USER.table.c.role).where(USER.table.c.id == user_id)).scalar()
    return role != "admin"


def _require(tx: Tx, user_id: str) -> None:
    if tx.actor.scopes is not None:
        raise Forbidden("A key that is limited makes and ends no keys; sign in for that")
    if not _may(tx, user_id):
        raise Forbidden("Only admins see to other people's keys")


def _checked(tx: Tx, scopes: Sequence[str]) -> list[str]:
    for scope in scopes:
        kind, _, verb = scope.partition(":")
        if verb not in _VERBS or (kind != "*" and kind not in tx.schema.entities):
            raise InvalidInput(
                f"A scope is a kind of record (or *) and read or write, as contacts:read; not {scope[:60]!r}",
                field="scopes",
                expected=[*tx.schema.entities],
            )
    return sorted(set(scopes))


_digest: sa.BindParameter[str] = sa.bindparam("of_key", type_=sa.String)
_by_key = (
    sa.select(USER.table, api_keys.c.scopes)
    .join(api_keys, api_keys.c.user_id == USER.table.c.id)
    .where(
        api_keys.c.digest == _digest,
        api_keys.c.revoked_at.is_(None),
        sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > sa.bindparam("now", type_=Instant)),
        USER.table.c.active,
        USER.table.c.deleted_at.is_(None),
    )
)
_used = (
    api_keys.update()
    .where(
        api_keys.c.digest == _digest,
        sa.or_(
            api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < sa.bindparam("since", type_=Instant)
        ),
    )
    .values(last_used_at=sa.bindparam("moment", type_=Instant))
)


def actor_for_key(tx: Tx, key: str) -> Actor:
    """Who holds this API key. Raises NotSignedIn for a forged, ended, revoked or missing one."""
    row = tx.row(_by_key, {"of_key": digest(key), "now": tx.now}) if key else None
    if row is None:
        raise NotSignedIn(
            "Send `Authorization: Bearer KEY`; `samvad user add EMAIL --role ROLE --api-key` makes a key."
        )
    return actor_of(tx, row, row["scopes"])


def mark_key_used(tx: Tx, key: str) -> None:
    """Keep when the key was last used. No event: use is not a change of a record."""
    moment = {"of_key": digest(key), "moment": tx.now, "since": tx.now - USED_EVERY}
    tx.execute(_used, moment)
