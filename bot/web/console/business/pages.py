"""`/console/business`: opening hours, closed days, visits, who is booked, and the times that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from babel.dates import format_time

from bot.crm.business import BUSINESS_PROFILE, LIMITS
from bot.crm.hours import DAYS
from bot.crm.user import USER
from bot.crm.visit import OFFERED_DAYS, coming_times
from bot.errors import Forbidden, InvalidInput, VersionConflict
from bot.i18n import day_words
from bot.records.change import change_record
from bot.records.keys import BUSINESS
from bot.records.permissions import visible
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.business import draft as drafts
from bot.web.console.business.draft import Draft, Wrong, as_given
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.records.common import may, reader_of
from bot.web.console.records.control import editable, sentence
from bot.web.console.records.reader import Reader

PATH = "/console/business"
_FIELDS = ("opening_hours", "closed_days", *LIMITS)
_SHOWN_DAYS, _SHOWN_TIMES = 5, 4


class _Undo(Exception):
    """Raised to take back what a trial wrote."""


@dataclass(frozen=True, slots=True)
class FreeDay:
    """A day with free times: the first of them, and how many more there are."""

    day: str
    times: Sequence[str]
    more: int


@dataclass(slots=True)
class Page:
    """All that the page shows. `free` is None while the draft has something wrong."""

    draft: Draft
    profile: Record
    people: Sequence[tuple[str, str]]
    wrong: Wrong
    free: Sequence[FreeDay] | None = None
    general: str = ""


def _require(tx: Tx) -> None:
    """Whoever may set one of these sets them all: the page saves them together."""
    tx.require("update", BUSINESS_PROFILE.name)
    if not all(editable(tx.actor, BUSINESS_PROFILE, name) for name in _FIELDS):
        raise Forbidden("You may not change when customers book")


def _page(tx: Tx, draft: Draft | None = None, wrong: Wrong | None = None, general: str = "") -> Page:
    """The page of a draft, or of what is saved."""
    _require(tx)
    row = get(tx, BUSINESS_PROFILE, BUSINESS)
    users = []
    if visible(tx.actor, USER, "name") and visible(tx.actor, USER, "bookable"):
        table = USER.table
        chosen = sa.select(table.c.id, table.c.name, table.c.bookable).where(
            table.c.active, table.c.deleted_at.is_(None)
        )
        users = tx.rows(chosen.order_by(table.c.name, table.c.id))
    if draft is None:
        draft = drafts.of_row(row, {user["id"] for user in users if user["bookable"]})
    return Page(draft, row, [(user["id"], user["name"]) for user in users], wrong or {}, general=general)


def _saved(tx: Tx, reader: Reader) -> Page:
    page = _page(tx)
    page.free = _free(tx, reader)
    return page


def _free(tx: Tx, reader: Reader) -> list[FreeDay]:
    """The next free times, by day, in words."""
    found = []
    for day, moments in groupby(coming_times(tx), lambda moment: moment.date()):
        times = [str(format_time(one, "short", locale=reader.locale)) for one in moments]
        more = len(times) - _SHOWN_TIMES
        found.append(FreeDay(day_words(day, reader.lang), times[:_SHOWN_TIMES], max(0, more)))
    return found[:_SHOWN_DAYS]


def _save(tx: Tx, draft: Draft) -> None:
    _require(tx)
    values, _ = as_given(draft)
    change_record(tx, BUSINESS_PROFILE, BUSINESS, values, version=draft.version)
    for user_id in sorted(draft.bookable ^ draft.begun):
        change_record(tx, USER, user_id, {"bookable": user_id in draft.bookable})


def _tried(tx: Tx, reader: Reader, draft: Draft, wrong: Wrong) -> Page:
    """The page of a draft with the times that would come of it: it is saved and taken back."""
    page = _page(tx, draft, wrong)
    if wrong:
        return page
    try:
        with tx.savepoint():
            _save(tx, draft)
            page.free = _free(tx, reader)
            raise _Undo
    except (_Undo, VersionConflict):
        return page
    except InvalidInput as error:
        page.general = sentence(error, BUSINESS_PROFILE, reader)
        return page


def _show(
    request: web.Request, viewer: Viewer, page: Page, *, part: str = "page", status: int = 200, **more: Any
) -> web.Response:
    reader = reader_of(viewer)
    return show(
        request,
        viewer,
        f"business/{part}.html",
        status=status,
        page=page,
        draft=page.draft,
        path=PATH,
        reader=reader,
        days=dict(
            zip(DAYS, (reader.locale.days["format"]["wide"][number] for number in range(7)), strict=True)
        ),
        limits=LIMITS,
        offered_days=OFFERED_DAYS,
        may_choose=may(viewer, "update", USER) and editable(viewer.actor, USER, "bookable"),
        **{"clash": False, "saved": False, **more},
    )


@room
async def business(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/business."""
    page = await viewer.app.store.read(_saved, viewer.actor, reader_of(viewer))
    return _show(request, viewer, page, saved="saved" in request.query)


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/business: all of it."""
    store, reader = viewer.app.store, reader_of(viewer)
    draft = drafts.read(await request.post())
    _, wrong = as_given(draft)
    general, status, clash = "", 400, False
    if not wrong:
        try:
            await store.run(_save, viewer.actor, draft)
            raise web.HTTPSeeOther(f"{PATH}?saved=1")
        except VersionConflict as error:
            status, clash = error.status, True
        except InvalidInput as error:
            general = sentence(error, BUSINESS_PROFILE, reader)
    page = await store.read(_page, viewer.actor, draft, wrong, general)
    if clash:
        draft.version = page.profile["version"]
    return _show(request, viewer, page, status=status, clash=clash)


@room
async def change(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/business/draft: nothing is saved; the form after a deed, or the times of the draft."""
    posted = await request.post()
    draft, deed = drafts.read(posted), str(posted.get("do", ""))
    draft.change(deed, str(posted.get("copy", "")))
    _, wrong = as_given(draft)
    page = await viewer.app.store.run(_tried, viewer.actor, reader_of(viewer), draft, wrong)
    if not wants_fragment(request):
        return _show(request, viewer, page)
    return _show(request, viewer, page, part="_free" if deed == "check" else "_form")
