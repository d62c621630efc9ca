"""Search over everything: the page of hits, and the short list under the box in the console's head."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from bot.errors import InvalidInput
from bot.records.entity import Entity
from bot.records.permissions import allowed, visible
from bot.records.query import Comparison, Query, page
from bot.records.search.find import LONGEST_SEARCH, Hit, find_everywhere, searchable
from bot.records.search.fold import nearness
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.console.records.common import reader_of
from bot.web.console.records.layout import address_of, layout_of
from bot.web.console.records.listing import Line, lines_of, needed_of
from bot.web.console.records.reader import Reader

PATH = "/console/search"
AT_ONCE = 8
"""Hits under the box while somebody types."""
MOST = 50
_BESIDE = 3
_AROUND = 60  # characters of a long text before and behind what was found
_ICONS = {"articles": "book"}
_WORD = re.compile(r"\S+")

Parts = tuple[tuple[str, bool], ...]
"""A text in pieces, and whether each is what was sought."""


@dataclass(frozen=True, slots=True)
class Found:
    """A hit as it is shown: `beside` tells it from its namesakes; `place` and `said` are where and what was
    found, where that is not the title."""

    kind: str
    icon: str
    title: Parts
    href: str
    beside: Sequence[str]
    place: str = ""
    said: Parts = ()


@dataclass(frozen=True, slots=True)
class Results:
    """What was found among which kinds; `wrong` says why nothing was sought."""

    found: list[Found]
    kinds: list[str]
    wrong: bool = False


def _read(tx: Tx, reader: Reader, text: str, kind: str, limit: int) -> Results:
    """The nearest first: the search's statements, then two for each kind found, and one for each it names."""
    kinds = [one for one in searchable(tx.schema.entities.values()) if allowed(tx.actor, "read", one)]
    kinds = [one for one in kinds if reader.words.has(f"kind.{one}")]
    try:
        hits = find_everywhere(tx, text, (kind,) if kind in kinds else kinds, limit) if kinds else []
    except InvalidInput:
        return Results([], kinds, wrong=True)
    lines: dict[str, Line] = {}
    texts: dict[str, str] = {}
    for name in dict.fromkeys(hit.kind for hit in hits):
        entity, some = tx.schema.entity(name), [hit for hit in hits if hit.kind == name]
        lines |= _lines(tx, reader, entity, some)
        texts |= _texts(tx, reader, entity, some, text)
    shown = (hit for hit in hits if hit.id in lines)  # one may have gone meanwhile
    return Results([_shown(tx, reader, hit, lines[hit.id], texts, text) for hit in shown], kinds)


def _lines(tx: Tx, reader: Reader, entity: Entity, hits: Sequence[Hit]) -> Mapping[str, Line]:
    """The records found, with the columns of their list that are short."""
    columns = [
        name
        for name in layout_of(entity).columns
        if name != entity.title
        and visible(tx.actor, entity, name)
        and not (name in entity.fields and entity.fields[name].long)
    ]
    rows = _rows(tx, entity, [hit.id for hit in hits], needed_of(tx.actor, entity, columns))
    return {line.id: line for line in lines_of(tx, reader, entity, rows, columns)}


def _texts(tx: Tx, reader: Reader, entity: Entity, hits: Sequence[Hit], text: str) -> Mapping[str, str]:
    """The texts in which the records were found, by record."""
    found: dict[str, str] = {}
    own = {hit.id: hit.field for hit in hits if hit.field in entity.fields and hit.field != entity.title}
    if own:
        fields = needed_of(tx.actor, entity, sorted(set(own.values())))
        for row in _rows(tx, entity, list(own), fields):
            found[row["id"]] = reader.cell(entity, own[row["id"]], row, {}).text
    for place in sorted({hit.field for hit in hits if "." in hit.field}):
        kind, _, name = place.partition(".")
        finder = tx.schema.entity(kind)
        if not visible(tx.actor, finder, finder.finds) or not visible(tx.actor, finder, name):
            continue
        ids = [hit.id for hit in hits if hit.field == place]
        query = Query(
            kind, (Comparison(finder.finds, "in", tuple(ids)),), fields=(finder.finds, name), limit=None
        )
        for row in page(tx, finder, query).rows:
            of, said = row[finder.finds], str(row[name] or "")
            if sum(nearness(text, said)) > sum(nearness(text, found.get(of, ""))):
                found[of] = said
    return found


def _rows(tx: Tx, entity: Entity, ids: Sequence[str], fields: tuple[str, ...]) -> Sequence[Record]:
    query = Query(entity.name, (Comparison("id", "in", tuple(ids)),), fields=fields, limit=None)
    return page(tx, entity, query).rows


def _shown(tx: Tx, reader: Reader, hit: Hit, line: Line, texts: Mapping[str, str], text: str) -> Found:
    entity = tx.schema.entity(hit.kind)
    kind, _, name = hit.field.rpartition(".")
    titled = hit.field == entity.title or hit.id not in texts
    cells = [cell.text for cell in line.cells if cell.text and cell.name != hit.field][:_BESIDE]
    return Found(
        reader.kind(hit.kind, one=True),
        _ICONS.get(hit.kind, layout_of(entity).icon),
        marked(line.title, text),
        _address(entity, hit.id),
        cells,
        "" if titled else reader.label(tx.schema.entity(kind) if kind else entity, name),
        () if titled else marked(_part(texts[hit.id], text), text),
    )


def _address(entity: Entity, record_id: str) -> str:
    return f"/console/articles/{record_id}" if entity.name == "articles" else address_of(entity, record_id)


def marked(said: str, text: str) -> Parts:
    """A text with the words marked that are near to one of those sought."""
    made: list[tuple[str, bool]] = []
    end = 0
    for word in _WORD.finditer(said):
        made += [(said[end : word.start()], False), (word[0], _near(word[0], text))]
        end = word.end()
    return tuple(part for part in (*made, (said[end:], False)) if part[0])


def _near(word: str, text: str) -> bool:
    return max(nearness(text, word), default=0.0) > 0


def _part(said: str, text: str) -> str:
    """Of a long text the part in which something was found."""
    said = " ".join(said.split())
    if len(said) <= 2 * _AROUND:
        return said
    at = next((word.start() for word in _WORD.finditer(said[:5000]) if _near(word[0], text)), 0)
    start = said.rfind(" ", 0, max(0, at - _AROUND)) + 1 if at > _AROUND else 0
    end = at + 2 * _AROUND
    cut = said[start:end] if end >= len(said) else said[start:end].rpartition(" ")[0]
    return f"{'…' if start else ''}{cut}{'…' if end < len(said) else ''}"


@room
async def search(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/search?q=…&kind=…: all hits; for the box in the head the first of them."""
    text = request.query.get("q", "").strip()[: LONGEST_SEARCH + 1]
    kind, short = request.query.get("kind", ""), wants_fragment(request)
    reader = reader_of(viewer)
    found = await viewer.app.store.read(_read, viewer.actor, reader, text, kind, AT_ONCE if short else MOST)
    return show(
        request,
        viewer,
        "records/_hits.html" if short else "records/search.html",
        status=400 if found.wrong and not short else 200,
        results=found,
        text=text,
        kind=kind,
        reader=reader,
        all_hits=f"{PATH}?{urlencode({'q': text})}",
        path=PATH,
    )
