"""What is done to records by name: shared, and of staff: keys made and ended, leaving and coming back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bot.clock import to_iso
from bot.conversations.entities import ENTITIES
from bot.crm import api_key, leaving
from bot.errors import NotFound
from bot.ids import is_id
from bot.records.query import one
from bot.records.shares import LEVELS, SHARE
from bot.records.sharing import share_record
from bot.records.show import shown
from bot.records.tx import Record, Tx
from bot.records.write import find
from bot.web.api.bodies import Body, Text
from bot.web.api.call import Answer, Call

_AN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
SHARED = Body(
    "share",
    {
        "user_id": Text("The user it is shared with; or a team.", _AN_ID, id=True, required=False),
        "team_id": Text("The team it is shared with; or a user.", _AN_ID, id=True, required=False),
        "level": Text("To read it, or to change it too; read.", "read", values=LEVELS, required=False),
    },
    one_of=("user_id", "team_id"),
)
LEAVING = Body(
    "leaving",
    {
        "to_user": Text("Who takes over their open work; or a team.", _AN_ID, id=True, required=False),
        "to_team": Text("The team that takes it over; or a user.", _AN_ID, id=True, required=False),
    },
    not_both=("to_user", "to_team"),
)
NEW_KEY = Body(
    "new_key",
    {
        "name": Text("What the key is for.", "The web shop", 100, required=False),
        "scopes": Text(
            "What it is limited to: kinds of record (or `*`) to `read` or `write`; none: all its user may.",
            "contacts:read",
            required=False,
            values=tuple(f"{kind}:{verb}" for kind in ("*", *ENTITIES) for verb in ("read", "write")),
            many=True,
        ),
        "expires_at": Text("When it ends.", "2030-01-31T09:30:00Z", 40, required=False, moment=True),
    },
)


def share(tx: Tx, call: Call, name: str) -> Answer:
    """Share a record with a user or a team, or change how."""
    one(tx, tx.schema.entity(name), call.id, ("id",))
    given = call.body
    share_id = share_record(
        tx,
        name,
        call.id,
        user_id=given["user_id"] or None,
        team_id=given["team_id"] or None,
        level=given["level"] or "read",
    )
    row = find(tx, SHARE, share_id)
    assert row is not None
    return Answer(shown(tx, SHARE, [row])[0], version=row["version"])


def deactivate(tx: Tx, call: Call) -> Answer:
    """End what a user signs in with, and hand their open work over."""
    moved = leaving.deactivate(
        tx, _user(call), to_user=call.body["to_user"] or None, to_team=call.body["to_team"] or None
    )
    return Answer({"id": call.id, "moved": moved})


def reactivate(tx: Tx, call: Call) -> Answer:
    """Let a user sign in again."""
    leaving.reactivate(tx, _user(call))
    return Answer({"id": call.id})


def list_keys(tx: Tx, call: Call) -> Answer:
    """A user's keys, without what opens anything."""
    return Answer({"data": [_key(row) for row in api_key.keys_of(tx, _user(call))]})


def make_key(tx: Tx, call: Call) -> Answer:
    """A new key: the one time it is seen."""
    given = call.body
    ends = datetime.fromisoformat(given["expires_at"].upper()) if given["expires_at"] else None
    user = _user(call)
    api_key.keys_of(tx, user)  # who may not see to this user's keys is not told whether there is one
    one(tx, tx.schema.entity("users"), user, ("id",))
    key = api_key.make_api_key(tx, user, name=given["name"], scopes=given["scopes"], expires_at=ends)
    return Answer({**_key(api_key.keys_of(tx, user)[0]), "key": key}, 201, once=True)


def revoke_key(tx: Tx, call: Call) -> Answer:
    """End a key."""
    if not is_id(call.sub_id) or call.sub_id not in _ids(api_key.keys_of(tx, _user(call))):
        raise NotFound("There is no such key")
    api_key.revoke_key(tx, call.sub_id)
    return Answer(None, 204)


def _ids(rows: Iterable[Record]) -> set[str]:
    return {row["id"] for row in rows}


def _user(call: Call) -> str:
    if not is_id(call.id):
        raise NotFound("There is no such user")
    return call.id


def _key(row: Record) -> dict[str, Any]:
    moments = {name: row[name] and to_iso(row[name]) for name in ("created_at", "expires_at", "last_used_at")}
    return {"id": row["id"], "name": row["name"], "scopes": row["scopes"], **moments}
