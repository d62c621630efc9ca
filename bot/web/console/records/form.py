"""Making and changing records by forms: a whole form, or one field in its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.errors import Conflict, Forbidden, InvalidInput
from bot.records.change import change_record, create_record
from bot.records.entity import Entity
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import ROOT, go, kind_of, may, reader_of, seen_of
from bot.web.console.records.control import Control, as_text, control, editable, form_fields, given, sentence
from bot.web.console.records.layout import address_of, layout_of
from bot.web.console.records.names import extras_of, names_of
from bot.web.console.records.pickers import stages_of
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import read_any, read_facts, writes

Texts = Mapping[str, str]


class Clash(Exception):
    """Somebody else changed the same fields meanwhile; `theirs` is what these hold now."""

    def __init__(self, theirs: Texts) -> None:
        super().__init__("clash")
        self.theirs = theirs


@dataclass(frozen=True, slots=True)
class Form:
    """A form's sections of controls, and what it began with."""

    sections: list[tuple[str, list[Control]]]
    base: str
    title: str = ""


def texts_of(tx: Tx, reader: Reader, entity: Entity, row: Record) -> dict[str, str]:
    """Every field of a record as a form holds it."""
    extras = entity.extras.names if entity.extras is not None else ()
    lists = extras_of(tx, entity, [row], extras).get(row["id"], {})
    whole = {**row, **lists}
    return {name: as_text(entity, name, whole, reader) for name in (*entity.fields, *extras)}


def build(
    tx: Tx,
    reader: Reader,
    entity: Entity,
    values: Texts,
    *,
    new: bool,
    only: str = "",
    wrong: Texts | None = None,
    theirs: Texts | None = None,
    title: str = "",
) -> Form:
    """The form of a kind holding these texts; `only` one field of it."""
    entity = tx.schema.of(entity)
    wanted = [("main", (only,))] if only else form_fields(tx.actor, entity, new=new)
    names = [name for _, section in wanted for name in section]
    links = {
        (entity.fields[name].to, values[name])
        for name in names
        if name in entity.fields and entity.fields[name].to and values.get(name)
    }
    known = names_of(tx, reader, links)
    choices = {"stages": tuple((stage, stage) for stage in stages_of(tx))} if "stage" in names else {}
    sections = [
        (
            section,
            [
                control(
                    entity,
                    name,
                    values.get(name, ""),
                    reader,
                    known,
                    choices,
                    wrong=(wrong or {}).get(name, ""),
                    theirs=(theirs or {}).get(name, ""),
                )
                for name in fields
            ],
        )
        for section, fields in wanted
    ]
    base = json.dumps({name: values.get(name, "") for name in names}, ensure_ascii=False)
    return Form(sections, base, title)


def _blank(tx: Tx, reader: Reader, entity: Entity, filled: Texts) -> Form:
    tx.require("create", entity.name)
    entity = tx.schema.of(entity)
    start = as_texts_of_defaults(entity, reader)
    if "owner_id" in entity.fields and entity.main:
        start["owner_id"] = tx.actor.id or ""
    return build(tx, reader, entity, {**start, **filled}, new=True)


def as_texts_of_defaults(entity: Entity, reader: Reader) -> dict[str, str]:
    """What a new record begins with."""
    start = {name: as_text(entity, name, entity.defaults, reader) for name in entity.defaults}
    if "currency" in entity.fields:
        start["currency"] = reader.currency
    return start


def _filled(request: web.Request, entity: Entity) -> dict[str, str]:
    return {name: value for name, value in request.query.items() if name in entity.fields}


@room
async def new(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/new: an empty form, or one begun from another record."""
    entity = kind_of(request, viewer)
    if not may(viewer, "create", entity):
        raise Forbidden("You may not make such records")
    filled = _filled(request, entity)
    form = await viewer.app.store.read(_blank, viewer.actor, reader_of(viewer), entity, filled)
    return _show(request, viewer, entity, form, hidden=_hidden(entity, filled))


def _hidden(entity: Entity, filled: Texts) -> dict[str, str]:
    """What a new record is about stands in no control."""
    return {name: filled[name] for name in ("about", "about_id") if name in filled and name in entity.fields}


def _show(request: web.Request, viewer: Viewer, entity: Entity, form: Form, **more: Any) -> web.Response:
    return show(
        request,
        viewer,
        "records/form.html",
        entity=entity,
        reader=reader_of(viewer),
        form=form,
        layout=layout_of(entity),
        path=f"{ROOT}/{entity.name}",
        **{"record_id": "", "hidden": {}, "clash": False, "general": "", **more},
    )


def _refilled(
    tx: Tx, reader: Reader, entity: Entity, values: Texts, new: bool, wrong: Texts, theirs: Texts, title: str
) -> Form:
    return build(tx, reader, entity, values, new=new, wrong=wrong, theirs=theirs, title=title)


def _wrong(error: InvalidInput | Conflict, entity: Entity, reader: Reader) -> tuple[dict[str, str], str]:
    """What is told beside fields, and what above the form."""
    if isinstance(error, Conflict) and "field" not in error.data:
        return {}, reader.say(error.locale_key)
    text = sentence(error, entity, reader)
    names = error.data.get("missing") or [error.data.get("field", "")]
    known = (*entity.fields, *(entity.extras.names if entity.extras is not None else ()))
    beside = {name: text for name in names if name in known}
    return beside, "" if beside else text


@room
async def create(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}: a new record; back to what it was begun from where there is that."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    posted = await request.post()
    known = (*entity.fields, *(entity.extras.names if entity.extras is not None else ()))
    values = given(posted, known)
    if entity.name == "activities":
        values = _about(values)
    try:
        row = await viewer.app.store.run(create_record, viewer.actor, entity, values, zone=reader.zone)
    except (InvalidInput, Conflict) as error:
        texts = {name: value or "" for name, value in values.items()}
        wrong, general = _wrong(error, entity, reader)
        form = await viewer.app.store.read(
            _refilled, viewer.actor, reader, entity, texts, True, wrong, {}, ""
        )
        hidden = _hidden(entity, texts)
        return _show(request, viewer, entity, form, general=general, status=error.status, hidden=hidden)
    return go(request, _behind(posted, entity, row))


def _about(values: dict[str, Any]) -> dict[str, Any]:
    """An activity begun from nothing is about its contact."""
    if not values.get("about_id") and values.get("contact_id"):
        return {**values, "about": "contacts", "about_id": values["contact_id"]}
    return values


def _behind(posted: Mapping[str, Any], entity: Entity, row: Record) -> str:
    """Where to go after making a record: one that makes sense only beside another leads back to that."""
    layout = layout_of(entity)
    if layout.alone:
        return address_of(entity, row["id"])
    back = next((name for name, spec in entity.fields.items() if spec.to and row.get(name)), "")
    origin = str(posted.get("back", ""))
    if origin.startswith(f"{ROOT}/"):
        return origin
    return f"{ROOT}/{entity.fields[back].to}/{row[back]}" if back else f"{ROOT}/{entity.name}"


def _edit(tx: Tx, reader: Reader, entity: Entity, record_id: str, only: str = "") -> Form:
    entity = tx.schema.of(entity)
    row = read_any(tx, entity, record_id)
    if row["deleted_at"] is not None or not writes(tx, entity, record_id):
        raise Forbidden("You may not change this record")
    if only and not editable(tx.actor, entity, only):
        raise Forbidden("You may not change this field", field=only)
    values = texts_of(tx, reader, entity, row)
    return build(tx, reader, entity, values, new=False, only=only, title=reader.title(entity, row))


@room
async def edit(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/edit: the whole form."""
    entity, record_id = kind_of(request, viewer), request.match_info["id"]
    form = await viewer.app.store.read(_edit, viewer.actor, reader_of(viewer), entity, record_id)
    return _show(request, viewer, entity, form, record_id=record_id)


def _change(
    tx: Tx, reader: Reader, entity: Entity, record_id: str, values: Mapping[str, Any], base: Texts
) -> Record:
    """Change what differs from what the form began with. What others changed elsewhere meanwhile stays.

    Raises Clash where they changed the same fields.
    """
    entity = tx.schema.of(entity)
    changed = {name: value for name, value in values.items() if (value or "") != base.get(name, "").strip()}
    row = seen_of(tx.actor, entity, get(tx, entity, record_id))
    for name in values:
        # What a form began with is told back where it moved on: only to who may change it.
        if not editable(tx.actor, entity, name):
            raise Forbidden("You may not change this field", field=name)
    now = texts_of(tx, reader, entity, row)
    moved = {
        name: now[name]
        for name, value in changed.items()
        if name in now and now[name] != base.get(name, "") and now[name] != (value or "")
    }
    if moved:
        raise Clash(moved)
    return change_record(tx, entity, record_id, changed, zone=reader.zone)


def base_of(posted: Mapping[str, Any]) -> dict[str, str]:
    """What a form began with. Raises InvalidInput."""
    try:
        base = json.loads(str(posted.get("base", "{}")))
    except ValueError:
        base = None
    if not isinstance(base, dict):
        raise InvalidInput("This form cannot be read; load the page again", field="base")
    return {str(name): str(value) for name, value in base.items()}


@room
async def change(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}: the whole form."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    record_id, posted = request.match_info["id"], await request.post()
    base = base_of(posted)
    values = given(posted, base)
    theirs: Texts = {}
    wrong: Texts = {}
    general = ""
    try:
        await viewer.app.store.run(_change, viewer.actor, reader, entity, record_id, values, base)
        return go(request, address_of(entity, record_id))
    except Clash as clash:
        theirs, status = clash.theirs, 409
    except (InvalidInput, Conflict) as error:
        (wrong, general), status = _wrong(error, entity, reader), error.status
    texts = {name: value or "" for name, value in values.items()}
    form = await viewer.app.store.read(
        _refilled, viewer.actor, reader, entity, texts, False, wrong, theirs, ""
    )
    form = Form(form.sections, json.dumps({**base, **theirs}, ensure_ascii=False))
    return _show(
        request, viewer, entity, form, record_id=record_id, general=general, clash=bool(theirs), status=status
    )


@room
async def field(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/fields/{name}: the one control in the field's place."""
    entity, record_id = kind_of(request, viewer), request.match_info["id"]
    name = request.match_info["name"]
    form = await viewer.app.store.read(_edit, viewer.actor, reader_of(viewer), entity, record_id, name)
    return _field(request, viewer, entity, form)


def _field(
    request: web.Request, viewer: Viewer, entity: Entity, form: Form, status: int = 200
) -> web.Response:
    record_id = request.match_info["id"]
    return show(
        request,
        viewer,
        "records/_field.html",
        status=status,
        one=form.sections[0][1][0],
        form=form,
        entity=entity,
        here_path=f"{ROOT}/{entity.name}/{record_id}",
    )


def _one_field(
    tx: Tx, reader: Reader, entity: Entity, name: str, value: str, wrong: str, theirs: Texts
) -> Form:
    return build(tx, reader, entity, {name: value}, new=False, only=name, wrong={name: wrong}, theirs=theirs)


@room
async def change_field(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/{kind}/{id}/fields/{name}: all the fields again, for others may follow one."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    record_id, name, posted = request.match_info["id"], request.match_info["name"], await request.post()
    base = base_of(posted)
    values = given(posted, (name,))
    theirs: Texts = {}
    general = ""
    try:
        await viewer.app.store.run(_change, viewer.actor, reader, entity, record_id, values, base)
        return await show_facts(request, viewer, entity, record_id)
    except Clash as clash:
        theirs, status = clash.theirs, 409
    except (InvalidInput, Conflict) as error:
        wrong, general = _wrong(error, entity, reader)
        general, status = general or next(iter(wrong.values()), ""), error.status
    value = values.get(name) or ""
    form = await viewer.app.store.read(_one_field, viewer.actor, reader, entity, name, value, general, theirs)
    form = Form(form.sections, json.dumps({**base, **theirs}, ensure_ascii=False))
    return _field(request, viewer, entity, form, status)


async def show_facts(request: web.Request, viewer: Viewer, entity: Entity, record_id: str) -> web.Response:
    """The fields as they are now, in the place of those on the page; the timeline follows."""
    facts = await viewer.app.store.read(read_facts, viewer.actor, reader_of(viewer), entity, record_id)
    response = show(
        request,
        viewer,
        "records/_facts.html",
        facts=facts,
        entity=entity,
        here_path=f"{ROOT}/{entity.name}/{record_id}",
    )
    headers = {"HX-Retarget": "#facts", "HX-Reswap": "outerHTML", "HX-Trigger-After-Settle": "record:changed"}
    response.headers.update(headers)
    return response


@room
async def show_record(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/{id}/facts: the fields again, after a control was closed."""
    return await show_facts(request, viewer, kind_of(request, viewer), request.match_info["id"])
