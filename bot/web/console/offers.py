"""Articles that may answer what an agent writes into a case: the customers' and the staff's own."""

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import ARTICLE, AUDIENCES, readable
from bot.knowledge.index import KnowledgeIndex
from bot.knowledge.retrieve import Asked, listed
from bot.records.tx import Record, Tx
from bot.web.console.door import Viewer, room, show

OFFERED = 4
_FIELDS = ("subject", "description")
_LEAST_WORDS, _MOST_ASKED, _DEEP = 2, 400, 40


@room
async def offers(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/offers?subject=…&description=…: links to a few articles."""
    asked = " ".join(request.query.get(name, "") for name in _FIELDS).strip()[:_MOST_ASKED]
    found: list[Record] = []
    if len(asked.split()) >= _LEAST_WORDS:
        library = viewer.app.library
        question = await library.asked(asked, frozenset(AUDIENCES))
        found = await viewer.app.store.read(_near, viewer.actor, library.index, question, viewer.lang)
    return show(request, viewer, "_offers.html", offers=found)


def _near(tx: Tx, index: KnowledgeIndex, asked: Asked, lang: str) -> list[Record]:
    """The nearest articles that staff may read now, each in the viewer's language where it is there in it."""
    tx.require("read", "articles")
    keys = dict.fromkeys(hit.passage.article.key for hit in listed(index, asked, _DEEP))
    table = ARTICLE.table
    columns = (table.c.id, table.c.key, table.c.lang, table.c.title, table.c.audience)
    statement = sa.select(*columns).where(table.c.key.in_(tuple(keys)), readable(tx.now, AUDIENCES))
    best: dict[str, Record] = {}
    for row in sorted(tx.rows(statement), key=lambda row: (row["lang"] == lang, row["lang"] == "en")):
        best[row["key"]] = row
    return [best[key] for key in keys if key in best][:OFFERED]
