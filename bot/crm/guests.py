"""Guests of activities: who takes part, what they are told by mail, and what they see.

Hooks of the kinds in `bot.crm.activity`, which imports this module.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.crm import invitation
from bot.crm.address import normal_email
from bot.crm.series import find_series, holds
from bot.errors import Conflict, InvalidInput
from bot.ids import new_id
from bot.records.permissions import allowed, visible
from bot.records.shares import SHARE
from bot.records.tx import Record, Tx
from bot.records.write import delete, find


def _guests(tx: Tx) -> sa.Table:
    return tx.schema.entity("attendees").table


def guests_of(tx: Tx, row: Record) -> list[Record]:
    """Who takes part: in an occurrence those of its series too, each address once."""
    table = _guests(tx)
    mine = table.c.activity_id == row["id"]
    if row["series_id"] is not None:
        mine = sa.or_(sa.and_(mine, table.c.series_id.is_(None)), table.c.series_id == row["series_id"])
    rows = tx.rows(sa.select(table).where(mine, table.c.deleted_at.is_(None)).order_by(table.c.id))
    # What somebody said of one occurrence goes before what they said of all.
    of_all = {guest["email"] or guest["id"]: guest for guest in rows if guest["series_id"] is not None}
    of_one = {guest["email"] or guest["id"]: guest for guest in rows if guest["series_id"] is None}
    return [*(of_all | of_one).values()]


def tell_guests(tx: Tx, before: Record | None, now: Record | None) -> None:
    """Guests are mailed of what concerns them: that it moved, that it is off."""
    row = now or before
    invited = now is not None and now["invite"]
    if row is None or not (invited or (before is not None and before["invite"])):
        return
    if before is not None and now is not None:
        if (before["sequence"], before["invite"]) == (now["sequence"], now["invite"]):
            return
        if _moved(before, now):
            _ask_again(tx, row["id"])
    found = find_series(tx, row["series_id"]) if row["series_id"] is not None else None
    uid, occurrence = row["id"], None
    if found is not None:
        if before is None or not holds(found, row["occurs_at"]):
            return  # the series is told as a whole
        uid = found["uid"]
        occurrence = row["occurs_at"] if before["series_id"] is not None else None
    method: invitation.Method = "REQUEST" if invited else "CANCEL"
    sequence = row["sequence"] + (now is None)
    invitation.tell(tx, uid, occurrence, row["id"], sequence, guests_of(tx, row), method)


def join_series(tx: Tx, row: Record) -> None:
    """The activity recurs from now on: its guests are those of the series."""
    table = _guests(tx)
    tx.execute(table.update().where(table.c.activity_id == row["id"]).values(series_id=row["series_id"]))


def _moved(before: Record, now: Record) -> bool:
    return any(before[name] != now[name] for name in ("starts_at", "ends_at", "all_day"))


def _ask_again(tx: Tx, activity_id: str) -> None:
    """Who said yes to another time has not said yes to this one."""
    table = _guests(tx)
    statement = table.update().where(table.c.activity_id == activity_id, table.c.series_id.is_(None))
    tx.execute(statement.values(answer="needs_action", answered_at=None))


def entry_of(tx: Tx, row: Record) -> tuple[str, datetime | None]:
    """(uid, occurrence) by which calendars know an activity."""
    if row["series_id"] is None:
        return row["id"], None
    found = find_series(tx, row["series_id"])
    return (found["uid"] if found is not None else row["series_id"]), row["occurs_at"]


def prepare(tx: Tx, before: Record | None, values: dict[str, Any]) -> None:
    """A guest is a contact, a colleague or an address; one that was not told their address is looked up."""
    if before is not None:
        if values.keys() & {"activity_id", "contact_id", "user_id", "email"}:
            raise InvalidInput("A guest stays who they are; take them off and invite another", field="email")
        if "answer" in values:
            values["answered_at"] = tx.now
        return
    row = find(tx, tx.schema.entity("activities"), values["activity_id"], writing=True)
    if row is None:
        raise InvalidInput("There is no such activity that you may change", field="activity_id")
    who = [name for name in ("contact_id", "user_id") if values.get(name)]
    if len(who) > 1 or not (who or values.get("email")):
        raise InvalidInput("A guest is a contact, a user or an email: give one", field="contact_id")
    if row["series_id"] is not None and not row["detached"]:
        values["series_id"] = row["series_id"]
    _look_up(tx, who[0] if who else "", values)
    guests = guests_of(tx, row)
    if any(
        guest["email"] == values.get("email") if values.get("email") else guest[who[0]] == values[who[0]]
        for guest in guests
    ):
        raise Conflict("They are invited already", field="email")


def _look_up(tx: Tx, who: str, values: dict[str, Any]) -> None:
    if who == "user_id":
        table = tx.schema.entity("users").table
        user = tx.row(sa.select(table).where(table.c.id == values[who], table.c.active))
        if user is None:
            raise InvalidInput("There is no such user who is active", field=who)
        values |= {"email": user["email"], "name": values.get("name") or user["name"]}
        return
    given = values.get("email") or ""
    if given and (found := normal_email(given)) is not None:
        values["email"] = found
    elif given:
        raise InvalidInput(f"{given[:80]!r} is no mail address", field="email")
    if who:
        kind = tx.schema.entity("contacts")
        contact = find(tx, kind, values[who]) if allowed(tx.actor, "read", kind.name) else None
        if contact is None:
            raise InvalidInput("There is no such contact that you see", field=who)
        if not values.get("name") and visible(tx.actor, kind, "name"):
            values["name"] = contact["name"]
        values["email"] = values.get("email") or _address_of(tx, values[who])


def _address_of(tx: Tx, contact_id: str) -> str | None:
    """A contact's mail address, one that is proved before others; None too where the actor sees none."""
    entity = tx.schema.entity("identities")
    if not allowed(tx.actor, "read", entity.name) or not visible(tx.actor, entity, "value"):
        return None
    table = entity.table
    statement = sa.select(table.c.value).where(
        table.c.contact_id == contact_id, table.c.kind == "email", table.c.deleted_at.is_(None)
    )
    address: str | None = tx.execute(statement.order_by(table.c.verified.desc(), table.c.id)).scalar()
    return address


def after(tx: Tx, before: Record | None, now: Record | None) -> None:
    row = now or before
    if row is None or (before is not None and now is not None):
        return
    whole = row["series_id"] is not None
    table = tx.schema.entity("activities").table
    mine = table.c.series_id == row["series_id"] if whole else table.c.id == row["activity_id"]
    rows = tx.rows(sa.select(table).where(mine, table.c.deleted_at.is_(None)).order_by(table.c.id))
    if row["user_id"] is not None:
        ids = [one["id"] for one in rows if one["owner_id"] != row["user_id"]]
        (show_to if now is not None else _hide)(tx, ids, row["user_id"])
    anchor = next((one for one in rows if one["id"] == row["activity_id"]), rows[0] if rows else None)
    if anchor is None or not anchor["invite"] or anchor["kind"] not in invitation.KINDS:
        return
    uid, occurrence = entry_of(tx, anchor)
    method: invitation.Method = "CANCEL" if now is None else "REQUEST"
    sequence = anchor["sequence"] + (now is None)
    invitation.tell(tx, uid, None if whole else occurrence, anchor["id"], sequence, [row], method)


def show_to(tx: Tx, activity_ids: list[str], user_id: str) -> None:
    """A colleague who takes part sees what they take part in. Nobody gave this share: so it is told from
    those that somebody did give, which stay."""
    table = SHARE.table
    known = sa.select(table.c.record_id).where(
        table.c.entity == "activities", table.c.user_id == user_id, table.c.record_id.in_(activity_ids)
    )
    there = set(tx.execute(known.where(table.c.deleted_at.is_(None))).scalars())
    row = {"entity": "activities", "user_id": user_id, "level": "read", "shared_by": None}
    moments = {"created_at": tx.now, "updated_at": tx.now, "version": 1}
    rows = [{"id": new_id(), "record_id": one, **row, **moments} for one in activity_ids if one not in there]
    if rows:
        tx.execute(SHARE.table.insert(), rows)


def _hide(tx: Tx, activity_ids: list[str], user_id: str) -> None:
    """They do not take part any more: the shares that `show_to` made end."""
    table = SHARE.table
    mine = sa.and_(table.c.entity == "activities", table.c.user_id == user_id, table.c.shared_by.is_(None))
    made = sa.select(table).where(mine, table.c.level == "read", table.c.deleted_at.is_(None))
    for share in tx.rows(made.where(table.c.record_id.in_(activity_ids))):
        delete(tx, SHARE, share)
