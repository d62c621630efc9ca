"""A list as CSV, page after page while it is read: only what the reader sees of it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.records.entity import Entity
from bot.records.permissions import visible
from bot.records.tx import Tx
from bot.web.console.door import Viewer, room
from bot.web.console.records.asked import Asked, asked_of, columns_of, from_view
from bot.web.console.records.common import kind_of, reader_of
from bot.web.console.records.listing import Listing, read_page
from bot.web.console.records.reader import Reader
from bot.web.console.records.views import chosen, content, views_of
from bot.web.pages.site import secure

PAGE = 500
_FORMULA = ("=", "@", "+", "-", "\t", "\r")
_HARMLESS = frozenset("0123456789+-., ()")


def _first(
    tx: Tx, reader: Reader, entity: Entity, asked: Asked, changed: bool
) -> tuple[Asked, tuple[str, ...]]:
    """What the page in front of the reader shows."""
    tx.require("read", entity.name)
    view = chosen(views_of(tx, entity), asked.view, changed=changed)
    if view is not None:
        asked = from_view(asked, content(view), changed=changed)
    entity = tx.schema.of(entity)
    return asked, _with_currencies(tx, entity, columns_of(tx.actor, entity, asked))


def _with_currencies(tx: Tx, entity: Entity, columns: Sequence[str]) -> tuple[str, ...]:
    """An amount is a plain number here, so its currency stands behind it."""
    shown: list[str] = []
    for name in columns:
        spec = entity.fields.get(name)
        beside = spec.currency if spec is not None else ""
        shown += [name, *([beside] if beside in entity.fields and visible(tx.actor, entity, beside) else ())]
    return tuple(dict.fromkeys(shown))


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula; telephone numbers and amounts stay as they are."""
    harmless = all(mark in _HARMLESS for mark in text)
    return text if harmless or not text.startswith(_FORMULA) else f"'{text}"


def _rows(listing: Listing) -> list[list[str]]:
    return [[safe(cell.raw or cell.text) for cell in line.cells] for line in listing.lines]


@room
async def export(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/records/{kind}/export: the list that the address names, whole."""
    entity, reader = kind_of(request, viewer), reader_of(viewer)
    store: Any = viewer.app.store
    asked, columns = await store.read(_first, viewer.actor, reader, entity, *asked_of(request))
    asked = replace(asked, after="")
    listing: Listing = await store.read(read_page, viewer.actor, reader, entity, asked, columns, PAGE)
    response = web.StreamResponse(headers={"Content-Type": "text/csv; charset=utf-8"})
    response.headers["Content-Disposition"] = f'attachment; filename="{entity.name}.csv"'
    secure(request, response)
    await response.prepare(request)
    # The mark makes spreadsheets read it as UTF-8: names in Devanagari and Urdu come out right.
    await response.write("\ufeff".encode())
    await response.write(_lines([[reader.label(entity, name) for name in columns]]))
    while True:
        await response.write(_lines(_rows(listing)))
        if not listing.next:
            break
        asked = replace(asked, after=listing.next)
        listing = await store.read(read_page, viewer.actor, reader, entity, asked, columns, PAGE)
    await response.write_eof()
    return response
