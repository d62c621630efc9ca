"""Series: recurring activities written out as ordinary ones for some time ahead.

A series holds the rule and what its occurrences have in common. Each occurrence is an activity with the
series' id and the moment at which the rule places it (`occurs_at`), by which it is made only once, whatever
became of it since. `bot.crm.activity` imports this module, so the kind is taken from the schema.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.crm.business import load_profile
from bot.crm.recurrence import check_rule, occurrences, zone_info
from bot.crm.reminders import moment_of
from bot.errors import InvalidInput
from bot.ids import new_id
from bot.records.tx import Record, Tx
from bot.records.write import create
from bot.storage import Id, Instant, Json, metadata

series = sa.Table(
    "activity_series",
    metadata,
    sa.Column("id", Id, primary_key=True),
    # What calendars know it by: a series that replaces another from its first occurrence on keeps it.
    sa.Column("uid", Id, nullable=False, index=True),
    sa.Column("rrule", sa.String(300), nullable=False),
    sa.Column("zone", sa.String(60), nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("seconds", sa.Integer, nullable=False),
    sa.Column("template", Json),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("filled_until", Instant),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_activity_series_filled", "ended", "filled_until"),
)
HORIZON = timedelta(days=60)
"""How far ahead occurrences are written out; and never fewer than the next `AT_LEAST`."""
AT_LEAST, AT_MOST = 2, 200
FAR = datetime(9000, 1, 1, tzinfo=UTC)
KINDS = ("task", "event", "call")
"""Those that can recur."""
SHARED = (
    *("kind", "subject", "body", "about", "about_id", "contact_id", "direction", "priority", "location"),
    *("all_day", "reminder_minutes", "invite", "owner_id", "team_id", "territory_id", "category_id", "tags"),
)
"""What the occurrences of a series have in common, beside the admins' own fields."""
TIMES = ("starts_at", "ends_at", "due_at")
_SECOND = timedelta(seconds=1)


def shared(row: Mapping[str, Any]) -> dict[str, Any]:
    """What this occurrence has in common with the others."""
    return {name: value for name, value in row.items() if name in SHARED or name.startswith("x_")}


def sets_apart(names: set[str]) -> bool:
    """Whether a change of these fields makes an occurrence unlike the others."""
    return any(name in SHARED or name in TIMES or name.startswith("x_") for name in names)


def begin(tx: Tx, both: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """Found a series with this activity as its first occurrence; returns the values that make it one."""
    if both["kind"] not in KINDS:
        raise InvalidInput(f"Only {', '.join(KINDS)} can recur", field="rrule")
    # One that guests know already stays the same entry in their calendars.
    known = {"uid": both["id"], "sequence": both["sequence"] + 1} if "id" in both else {}
    row = _new(tx, both, rule, **known)
    return values_at(row, both["kind"], row["starts_at"])


def _new(tx: Tx, both: Mapping[str, Any], rule: str, **given: Any) -> dict[str, Any]:
    field = "due_at" if both["kind"] == "task" else "starts_at"
    start: datetime | None = moment_of(both)
    if start is None:
        raise InvalidInput(f"What recurs needs {field}", field=field)
    start = start.replace(microsecond=0)
    zone = both.get("zone") or business_zone(tx)
    rule = check_rule(rule, zone)
    first = occurrences(rule, start, zone, start, FAR, 1)
    if first != [start]:
        next_one = f"; its first time is {first[0].astimezone(zone_info(zone)).isoformat()}" if first else ""
        raise InvalidInput(f"{field} is no day of this rule{next_one}", field=field)
    row = {
        "id": new_id(),
        "rrule": rule,
        "zone": zone,
        "starts_at": start,
        "seconds": _seconds(both, zone),
        "template": None,
        "sequence": 0,
        "filled_until": None,
        "ended": False,
        "created_at": tx.now,
        **given,
    }
    row.setdefault("uid", row["id"])
    tx.execute(series.insert(), row)
    return row


def succeed(tx: Tx, old: Record, both: Mapping[str, Any], rule: str, *, whole: bool) -> dict[str, Any]:
    """The series that goes on after another; `whole`: it takes the place of all of it."""
    if whole:
        return _new(tx, both, rule, uid=old["uid"], sequence=old["sequence"] + 1)
    return _new(tx, both, rule)


def business_zone(tx: Tx) -> str:
    """The time zone of the business."""
    profile = load_profile(tx)
    return profile.time_zone if profile is not None else "UTC"


def _seconds(row: Mapping[str, Any], zone: str) -> int:
    """How long it is by the clock on the wall."""
    start, end = row.get("starts_at"), row.get("ends_at")
    if row["kind"] == "task" or start is None or end is None:
        return 0
    where = zone_info(zone)
    walls = [moment.astimezone(where).replace(tzinfo=None) for moment in (start, end)]
    return int((walls[1] - walls[0]).total_seconds())


def values_at(row: Record, kind: str, moment: datetime) -> dict[str, Any]:
    """What makes an activity the occurrence at this moment."""
    own = {"series_id": row["id"], "occurs_at": moment, "rrule": row["rrule"], "zone": row["zone"]}
    own |= {"sequence": row["sequence"], "detached": False}
    if kind == "task":
        return own | {"due_at": moment}
    where = zone_info(row["zone"])
    if not row["seconds"] and kind != "event":
        return own | {"starts_at": moment, "ends_at": None}
    wall = moment.astimezone(where).replace(tzinfo=None) + timedelta(seconds=row["seconds"])
    return own | {"starts_at": moment, "ends_at": wall.replace(tzinfo=where).astimezone(UTC)}


def find_series(tx: Tx, series_id: str) -> Record | None:
    """A series; held until the transaction ends where the database can."""
    return tx.row(sa.select(series).where(series.c.id == series_id).with_for_update())


def wanted(row: Record, now: datetime, *, all_since_start: bool = False) -> list[datetime]:
    """The moments that are to be written out; those gone by only where asked for."""
    rule, start, zone = row["rrule"], row["starts_at"], row["zone"]
    begins = max(start, now)
    near = occurrences(rule, start, zone, start if all_since_start else begins, now + HORIZON, AT_MOST)
    return sorted({start, *near, *occurrences(rule, start, zone, begins, FAR, AT_LEAST)})


def follow(tx: Tx, before: Record | None, now: Record) -> None:
    """Write a series out that begins, and further when one of it is done."""
    row = find_series(tx, now["series_id"])
    if row is None:
        return
    if row["filled_until"] is None:
        template = shared(now)
        tx.execute(series.update().where(series.c.id == row["id"]).values(template=template))
        fill(tx, {**row, "template": template})
    elif before is not None and before["done_at"] is None and now["done_at"] is not None:
        fill(tx, row)


def fill(tx: Tx, row: Record) -> int:
    """Write out what is missing up to the horizon; how many."""
    if row["ended"]:
        return 0
    activity = tx.schema.entity("activities")
    table = activity.table
    known = set(tx.execute(sa.select(table.c.occurs_at).where(table.c.series_id == row["id"])).scalars())
    moments = wanted(row, tx.now)
    last = max([*moments, *known])
    ended = not occurrences(row["rrule"], row["starts_at"], row["zone"], last + _SECOND, FAR, 1)
    # First, so that what is made below does not ask for it again.
    tx.execute(
        series.update().where(series.c.id == row["id"]).values(filled_until=tx.now + HORIZON, ended=ended)
    )
    new = [moment for moment in moments if moment not in known]
    for moment in new:
        values = {**row["template"], **values_at(row, row["template"]["kind"], moment)}
        create(tx, activity, values, reason="recurs")
    return len(new)


def holds(row: Record, moment: datetime) -> bool:
    """Whether the series, as it is now, has an occurrence at this moment."""
    if row["template"] is None:  # nothing of it is left
        return False
    return bool(occurrences(row["rrule"], row["starts_at"], row["zone"], moment, moment + _SECOND, 1))


def adopt(tx: Tx, row: Record, template: dict[str, Any]) -> None:
    """A series that took over its first occurrences from another is written out like any."""
    tx.execute(series.update().where(series.c.id == row["id"]).values(template=template))
    fill(tx, {**row, "template": template})


_short = (
    sa.select(series)
    .where(
        series.c.ended.is_(sa.false()),
        series.c.filled_until < sa.bindparam("before", type_=Instant),
    )
    .order_by(series.c.filled_until)
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .with_for_update()
)


def fill_some(tx: Tx, limit: int = 20) -> int:
    """Housekeeping: write the series further that lag a day behind; how many series."""
    rows = tx.rows(_short, {"before": tx.now + HORIZON - timedelta(days=1), "limit": limit})
    for row in rows:
        fill(tx, row)
    return len(rows)


def end_before(tx: Tx, row: Record, rule: str | None) -> None:
    """A series ends with what is written out of it: `rule` says when; None: nothing of it is left."""
    values: dict[str, Any] = {"ended": True, "sequence": row["sequence"] + 1}
    if rule is None:
        values["template"] = None
    else:
        values["rrule"] = rule
        table = tx.schema.entity("activities").table
        shown = table.update().where(table.c.series_id == row["id"])
        tx.execute(shown.values(rrule=rule))
    tx.execute(series.update().where(series.c.id == row["id"]).values(**values))


def hand_over(tx: Tx, user_id: str, owner_id: str | None, team_id: str | None) -> None:
    """What is still to come of a user's series belongs to somebody else from now on."""
    for row in tx.rows(sa.select(series).where(series.c.ended.is_(False), series.c.template.is_not(None))):
        if row["template"].get("owner_id") == user_id:
            template = {**row["template"], "owner_id": owner_id, "team_id": team_id}
            tx.execute(series.update().where(series.c.id == row["id"]).values(template=template))
