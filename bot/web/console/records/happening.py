"""What is done to an activity on its page: finished with its outcome and what comes next; and of a series,
this and all later ones changed or called off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.crm.activity import ACTIVITY
from bot.crm.occurrence import FollowUp, change_future, complete, delete_future
from bot.crm.recurrence_words import say_rule
from bot.crm.series import KINDS
from bot.errors import Conflict, InvalidInput
from bot.records.change import read_values
from bot.records.entity import Entity
from bot.records.given import read_value
from bot.records.permissions import visible
from bot.records.tx import Record, Tx
from bot.storage.database import dump_json
from bot.web.console.door import Viewer, room
from bot.web.console.records.common import ROOT, go, may, reader_of
from bot.web.console.records.control import Control, editable, given, sentence
from bot.web.console.records.form import base_of, build, texts_of
from bot.web.console.records.panel import panel, read_live
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import writes

_FINISH = ("outcome", "note", "follow_up_subject", "follow_up_due")
_LATER = ("subject", "due_at", "starts_at", "ends_at", "location", "owner_id", "rrule")
"""What is changed of all later ones at once."""
_ONLY_OF = {"due_at": ("task",), "starts_at": ("event", "call"), "ends_at": ("event", "call")}


@dataclass(frozen=True, slots=True)
class Happening:
    """What may still be done to an activity; `rule` says in words how it repeats."""

    row: Record
    may_finish: bool
    rule: str = ""
    controls: tuple[Control, ...] = ()
    base: str = "{}"


def _read(
    tx: Tx, reader: Reader, record_id: str, values: Mapping[str, str], wrong: Mapping[str, str]
) -> Happening:
    entity = tx.schema.entity(ACTIVITY.name)
    row = read_live(tx, entity, record_id)
    # What is hidden counts as done: nobody finishes what they cannot see to be open.
    is_open = "done_at" in row and row["done_at"] is None and writes(tx, entity, record_id)
    may_finish = is_open and row.get("kind") in KINDS
    if not row.get("series_id") or not row.get("rrule") or not is_open:
        return Happening(row, may_finish)
    names = _names(tx, entity, row)
    now = texts_of(tx, reader, entity, row)
    texts = {name: values.get(name, now[name]) for name in names}
    form = [build(tx, reader, entity, texts, new=False, only=name, wrong=wrong) for name in names]
    controls = tuple(one.sections[0][1][0] for one in form)
    said = say_rule(row["rrule"], row["occurs_at"], row["zone"], reader.lang)
    base = dump_json({name: now[name] for name in names})
    return Happening(row, may_finish, reader.say("series.repeats", rule=said), controls, base)


def _names(tx: Tx, entity: Entity, row: Record) -> list[str]:
    kind = row["kind"]
    fits = [name for name in _LATER if kind in _ONLY_OF.get(name, (kind,))]
    return [name for name in fits if editable(tx.actor, entity, name)]


async def _show(
    request: web.Request,
    viewer: Viewer,
    *,
    wrong: str = "",
    finish: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    beside: Mapping[str, str] | None = None,
) -> web.Response:
    entity, record_id = viewer.app.store.schema.entity(ACTIVITY.name), request.match_info["id"]
    reader = reader_of(viewer)
    found: Happening = await viewer.app.store.read(
        _read, viewer.actor, reader, record_id, values or {}, beside or {}
    )
    seen = visible(viewer.actor, entity, "outcome")
    outcomes = [(one, reader.value(entity, "outcome", one)) for one in entity.fields["outcome"].values]
    response = panel(
        request,
        viewer,
        "records/_happening.html",
        entity,
        record_id,
        wrong=wrong,
        found=found,
        finish=dict.fromkeys(_FINISH, "") | dict(finish or {}),
        outcomes=outcomes if seen else [],
        changing=values is not None,
        may_follow=may(viewer, "create", entity),
        may_delete=may(viewer, "delete", entity),
    )
    if beside:
        response.set_status(400)
    return response


@room
async def happening(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/activities/{id}/happening."""
    return await _show(request, viewer)


def _finish(tx: Tx, reader: Reader, record_id: str, posted: Mapping[str, str]) -> None:
    subject, due = posted.get("follow_up_subject", ""), posted.get("follow_up_due", "")
    if bool(subject) != bool(due):
        raise InvalidInput("A follow-up has a subject and a due time", reason="follow_up")
    moment = read_value(ACTIVITY.fields["due_at"], due, reader.zone) if due else None
    follow_up = FollowUp(subject, moment) if moment is not None else None
    if follow_up is not None:
        tx.require("create", ACTIVITY.name)
    complete(tx, record_id, posted.get("outcome") or None, posted.get("note", ""), follow_up)


@room
async def finish(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/done: with what came of it, and perhaps the next task."""
    posted, record_id, reader = await request.post(), request.match_info["id"], reader_of(viewer)
    values = {name: str(posted.get(name, "")).strip() for name in _FINISH}
    try:
        await viewer.app.store.run(_finish, viewer.actor, reader, record_id, values)
    except InvalidInput as error:
        wrong = sentence(error, viewer.app.store.schema.entity(ACTIVITY.name), reader)
        return await _show(request, viewer, wrong=wrong, finish=values)
    return go(request, f"{ROOT}/{ACTIVITY.name}/{record_id}")


def _change(
    tx: Tx, reader: Reader, record_id: str, posted: Mapping[str, Any], base: Mapping[str, str]
) -> None:
    """Change what differs from what the form began with. Raises Conflict where that moved on meanwhile."""
    entity = tx.schema.entity(ACTIVITY.name)
    row = read_live(tx, entity, record_id)
    now = texts_of(tx, reader, entity, row)
    changed = {
        name: value
        for name, value in posted.items()
        if (value or "") != base.get(name, now[name]).strip() and (value or "") != now[name].strip()
    }
    for name in changed:
        if now[name] != base.get(name, now[name]):
            raise Conflict("Somebody changed this meanwhile", field=name, reason="moved")
    if changed:
        change_future(tx, record_id, read_values(tx, entity, changed, zone=reader.zone))


@room
async def change_later(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/later: this one and all that follow."""
    posted, record_id, reader = await request.post(), request.match_info["id"], reader_of(viewer)
    values = given(posted, _LATER)
    try:
        await viewer.app.store.run(_change, viewer.actor, reader, record_id, values, base_of(posted))
    except (InvalidInput, Conflict) as error:
        name = str(error.data.get("field", ""))
        if name not in values:
            raise
        entity = viewer.app.store.schema.entity(ACTIVITY.name)
        texts = {one: value or "" for one, value in values.items()}
        return await _show(request, viewer, values=texts, beside={name: sentence(error, entity, reader)})
    return go(request, f"{ROOT}/{ACTIVITY.name}/{record_id}")


@room
async def call_off_later(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/later/delete: this one and all that follow."""
    record_id = request.match_info["id"]
    await viewer.app.store.run(delete_future, viewer.actor, record_id)
    return go(request, f"{ROOT}/{ACTIVITY.name}")
