"""Many records at once: a new owner, a tag more or less, deletion; each tells what became of it."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.errors import InvalidInput, SamvadError
from bot.records.change import change_record, delete_record
from bot.records.entity import Entity
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import ROOT, kind_of, reader_of, seen_of
from bot.web.console.records.control import sentence
from bot.web.console.records.layout import address_of
from bot.web.console.records.reader import Reader

MOST = 100
DEEDS = ("owner", "tag", "untag", "delete")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record; `wrong` is empty where it went well."""

    title: str
    href: str
    wrong: str = ""


def _one(tx: Tx, entity: Entity, record_id: str, deed: str, value: str, reader: Reader) -> str:
    """Do it to one record; returns its title."""
    row = get(tx, entity, record_id)
    if deed == "delete":
        delete_record(tx, entity, record_id)
    else:
        change_record(tx, entity, record_id, _change(deed, row, value))
    return reader.title(entity, seen_of(tx.actor, entity, row))


def _change(deed: str, row: Record, value: str) -> dict[str, Any]:
    if deed == "owner":
        return {"owner_id": value or None}
    tags = [tag for tag in row["tags"] or () if tag != value]
    return {"tags": [*tags, value] if deed == "tag" else tags}


async def _tell(viewer: Viewer, entity: Entity, record_id: str, deed: str, value: str) -> Outcome:
    reader = reader_of(viewer)
    href = "" if deed == "delete" else address_of(entity, record_id)
    try:
        # A record each transaction: what fails does not undo the others.
        title = await viewer.app.store.run(_one, viewer.actor, entity, record_id, deed, value, reader)
        return Outcome(title, address_of(entity, record_id))
    except SamvadError as error:
        told = sentence(error, entity, reader) if "field" in error.data else reader.say(error.locale_key)
        return Outcome(await _title(viewer, entity, record_id, reader), href, told)


async def _title(viewer: Viewer, entity: Entity, record_id: str, reader: Reader) -> str:
    try:
        row = await viewer.app.store.read(get, viewer.actor, entity, record_id)
    except SamvadError:
        return record_id[-6:]
    return reader.title(entity, seen_of(viewer.actor, entity, row))


@room
async def bulk(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/bulk."""
    entity, form = kind_of(request, viewer), await request.post()
    ids = [str(one) for one in form.getall("id", [])][:MOST]
    deed, value = str(form.get("deed", "")), str(form.get("value", "")).strip()
    if deed == "owner":
        value = str(form.get("owner_id", "")).strip()
    if deed not in DEEDS or (deed in ("tag", "untag") and not value):
        raise InvalidInput("Choose what to do with the records", field="deed")
    outcomes = [await _tell(viewer, entity, one, deed, value) for one in dict.fromkeys(ids)]
    response = show(
        request,
        viewer,
        "records/_outcomes.html",
        outcomes=outcomes,
        entity=entity,
        path=f"{ROOT}/{entity.name}",
    )
    response.headers["HX-Trigger-After-Settle"] = "records:changed"
    return response
