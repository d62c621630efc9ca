"""What is done beside a record without leaving its page: a note, a call, a task."""

from typing import Any

from aiohttp import web

from bot.errors import InvalidInput
from bot.records.change import create_record
from bot.records.entity import Entity
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import ROOT, kind_of, reader_of
from bot.web.console.records.control import sentence
from bot.web.console.records.reader import Reader

DOINGS = ("note", "call", "task")
_TITLE = 200


def _add(tx: Tx, reader: Reader, entity: Entity, record_id: str, kind: str, given: dict[str, Any]) -> None:
    """An activity about a record that the actor sees."""
    row = get(tx, entity, record_id)
    contact = row["id"] if entity.name == "contacts" else row.get("contact_id")
    values = {"kind": kind, "about": entity.name, "about_id": record_id, "contact_id": contact, **given}
    if kind == "call":
        values["done_at"] = tx.now.isoformat()
    create_record(tx, tx.schema.entity("activities"), values, zone=reader.zone)


@room
async def add(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/activities: a note, a call that was had, or a task."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    posted = await request.post()
    kind, text = str(posted.get("kind", "")), str(posted.get("text", "")).strip()
    if kind not in DOINGS:
        raise InvalidInput("An activity is a note, a call or a task", field="kind")
    first, _, rest = text.partition("\n")
    given: dict[str, Any] = {"subject": first[:_TITLE], "body": text if kind == "note" else rest.strip()}
    if kind == "call":
        given |= {name: str(posted.get(name, "")) or None for name in ("direction", "outcome")}
    if kind == "task":
        given["due_at"] = str(posted.get("due_at", "")) or None
    wrong = "" if text else reader.say("records.wrong.required")
    try:
        if text:
            await viewer.app.store.run(
                _add, viewer.actor, reader, entity, request.match_info["id"], kind, given
            )
    except InvalidInput as error:
        wrong = sentence(error, viewer.app.store.schema.entity("activities"), reader)
    response = doing(request, viewer, entity, kind, wrong=wrong, text=text if wrong else "")
    if not wrong:
        response.headers["HX-Trigger-After-Settle"] = "record:changed"
    return response


def doing(
    request: web.Request, viewer: Viewer, entity: Entity, kind: str, *, wrong: str = "", text: str = ""
) -> web.Response:
    """The small form for a note, a call or a task."""
    activities = viewer.app.store.schema.entity("activities")
    reader = reader_of(viewer)
    options = {
        name: [(one, reader.value(activities, name, one)) for one in activities.fields[name].values]
        for name in ("direction", "outcome")
    }
    return show(
        request,
        viewer,
        "records/_doing.html",
        status=400 if wrong else 200,
        kind=kind,
        wrong=wrong,
        text=text,
        options=options,
        kinds=DOINGS,
        here_path=f"{ROOT}/{entity.name}/{request.match_info['id']}",
    )


@room
async def form(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/activities?kind=…: the small form."""
    kind = request.query.get("kind", "note")
    return doing(request, viewer, kind_of(request, viewer), kind if kind in DOINGS else "note")
