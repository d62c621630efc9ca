"""The guests of an activity on its page: who is invited, what they answered, inviting and taking off."""

from dataclasses import dataclass

from aiohttp import web

from bot.crm.activity import ANSWERS, ATTENDEE
from bot.crm.address import normal_email
from bot.crm.guests import guests_of
from bot.crm.invitation import KINDS
from bot.errors import Conflict, InvalidInput, NotFound
from bot.records.change import change_record, create_record, delete_record
from bot.records.permissions import allowed
from bot.records.search.find import find_everywhere
from bot.records.tx import Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show
from bot.web.console.records.common import may, reader_of, seen_of
from bot.web.console.records.control import sentence
from bot.web.console.records.lookup import find
from bot.web.console.records.names import names_of
from bot.web.console.records.panel import panel, read_live
from bot.web.console.records.reader import Reader
from bot.web.console.records.record import writes

_WHO = {"contacts": "contact_id", "users": "user_id", "email": "email"}
_FOUND = 6


@dataclass(frozen=True, slots=True)
class Guest:
    """Who takes part, what they said; `whole` in the whole series."""

    id: str
    name: str
    email: str
    href: str
    answer: str
    comment: str
    required: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Guests:
    """All of an activity; `mailed` whether they are told by mail; None where that is not done."""

    guests: list[Guest]
    mailed: bool | None
    may_write: bool


def _read(tx: Tx, reader: Reader, record_id: str) -> Guests:
    """Two statements, and one for each kind of guest."""
    entity = tx.schema.entity("activities")
    row = read_live(tx, entity, record_id)
    if not allowed(tx.actor, "read", ATTENDEE.name):
        return Guests([], None, may_write=False)
    rows = [seen_of(tx.actor, ATTENDEE, guest) for guest in guests_of(tx, get(tx, entity, record_id))]
    links = {("contacts", one["contact_id"]) for one in rows if one.get("contact_id")}
    links |= {("users", one["user_id"]) for one in rows if one.get("user_id")}
    names = names_of(tx, reader, links)
    guests = []
    for one in rows:
        contact = ("contacts", one.get("contact_id") or "")
        known = names.get(contact) or names.get(("users", one.get("user_id") or ""))
        email = one.get("email") or ""
        guests.append(
            Guest(
                one["id"],
                one.get("name") or known or email or reader.say("records.out_of_sight"),
                email,
                f"/console/records/contacts/{contact[1]}" if contact in names else "",
                one.get("answer") or "",
                one.get("comment") or "",
                one.get("required", True),
                bool(one.get("series_id")),
            )
        )
    mailed = row.get("invite") if row.get("kind") in KINDS else None
    return Guests(guests, mailed, writes(tx, entity, record_id))


async def _show(request: web.Request, viewer: Viewer, wrong: str = "") -> web.Response:
    entity, record_id = viewer.app.store.schema.entity("activities"), request.match_info["id"]
    reader = reader_of(viewer)
    found: Guests = await viewer.app.store.read(_read, viewer.actor, reader, record_id)
    return panel(
        request,
        viewer,
        "records/_guests.html",
        entity,
        record_id,
        wrong=wrong,
        found=found,
        answers=[(one, reader.value(ATTENDEE, "answer", one)) for one in ANSWERS],
        may_add=found.may_write and may(viewer, "create", ATTENDEE),
        may_answer=found.may_write and may(viewer, "update", ATTENDEE),
        may_remove=found.may_write and may(viewer, "delete", ATTENDEE),
    )


@room
async def guests(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/activities/{id}/guests."""
    return await _show(request, viewer)


@room
async def invite(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/guests: a contact, a colleague or an address, as KIND/WHO."""
    kind, _, who = str((await request.post()).get("who", "")).strip().partition("/")
    reader = reader_of(viewer)
    if kind not in _WHO or not who:
        return await _show(request, viewer, reader.say("guests.choose"))
    given = {"activity_id": request.match_info["id"], _WHO[kind]: who}
    try:
        await viewer.app.store.run(create_record, viewer.actor, ATTENDEE, given)
    except Conflict:
        return await _show(request, viewer, reader.say("guests.twice"))
    except InvalidInput as error:
        return await _show(request, viewer, sentence(error, ATTENDEE, reader))
    return await _show(request, viewer)


def _of(tx: Tx, activity_id: str, guest_id: str) -> None:
    """Raises NotFound unless the guest takes part in this activity."""
    row = get(tx, tx.schema.entity("activities"), activity_id)
    if guest_id not in {guest["id"] for guest in guests_of(tx, row)}:
        raise NotFound("This activity has no such guest", kind=ATTENDEE.name)


def _answer(tx: Tx, activity_id: str, guest_id: str, answer: str) -> None:
    _of(tx, activity_id, guest_id)
    change_record(tx, ATTENDEE, guest_id, {"answer": answer})


@room
async def answer(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/guests/{guest}/answer: what they said elsewhere."""
    activity_id, guest_id = request.match_info["id"], request.match_info["guest"]
    said = str((await request.post()).get("answer", ""))
    await viewer.app.store.run(_answer, viewer.actor, activity_id, guest_id, said)
    return await _show(request, viewer)


def _take_off(tx: Tx, activity_id: str, guest_id: str) -> None:
    _of(tx, activity_id, guest_id)
    delete_record(tx, ATTENDEE, guest_id)


@room
async def take_off(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/records/activities/{id}/guests/{guest}/remove."""
    activity_id, guest_id = request.match_info["id"], request.match_info["guest"]
    await viewer.app.store.run(_take_off, viewer.actor, activity_id, guest_id)
    return await _show(request, viewer)


def _find(tx: Tx, reader: Reader, text: str) -> list[tuple[str, str, str]]:
    """(KIND/WHO, name, what they are) of who may be meant."""
    found = []
    if (address := normal_email(text)) is not None:
        found.append((f"email/{address}", address, reader.say("guests.address")))
    if allowed(tx.actor, "read", "users"):
        users = find(tx, reader, tx.schema.entity("users"), text) if text else []
        colleague = reader.kind("users", one=True)
        found += [(f"users/{one}", name, beside or colleague) for one, name, beside in users[:_FOUND]]
    try:
        hits = find_everywhere(tx, text, ("contacts",), _FOUND)
    except InvalidInput:
        hits = []
    names = names_of(tx, reader, {(hit.kind, hit.id) for hit in hits})
    contact = reader.kind("contacts", one=True)
    seen = [hit for hit in hits if (hit.kind, hit.id) in names]
    return found + [(f"contacts/{hit.id}", names[hit.kind, hit.id], contact) for hit in seen]


@room
async def invitable(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/search/people?q=…: contacts, colleagues, or a mail address as it is typed."""
    text = request.query.get("q", "").strip()[:200]
    found = await viewer.app.store.read(_find, viewer.actor, reader_of(viewer), text)
    return show(request, viewer, "records/_options.html", found=found)
