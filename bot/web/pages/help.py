"""The knowledge base as customers read it."""

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import ARTICLE, find_published
from bot.errors import NotFound
from bot.records.actor import SYSTEM
from bot.records.tx import Record, Tx
from bot.web.keys import APP
from bot.web.pages.markdown import to_html
from bot.web.pages.site import public, render


def titles(tx: Tx, lang: str) -> list[Record]:
    """Key and title of the published articles of a language, by title."""
    table = ARTICLE.table
    statement = (
        sa.select(table.c.key, table.c.title)
        .where(table.c.lang == lang, table.c.status == "published", table.c.deleted_at.is_(None))
        .order_by(table.c.title)
        .limit(500)
    )
    return tx.rows(statement)


def _language(request: web.Request) -> str:
    lang = request.match_info["lang"]
    if lang not in request.app[APP].profile.languages:
        raise NotFound("We have no help pages in that language.")
    return lang


@public
async def articles(request: web.Request) -> web.Response:
    """`/help/{lang}`: every published article."""
    app = request.app[APP]
    lang = _language(request)
    found = await app.store.read(titles, SYSTEM, lang)
    return render(request, "pages/articles.html", lang, articles=found, languages=app.profile.languages)


@public
async def article(request: web.Request) -> web.Response:
    """`/help/{lang}/{key}`: one article; in another language where this one lacks it."""
    app = request.app[APP]
    lang = _language(request)
    row = await app.store.read(find_published, SYSTEM, request.match_info["key"], lang)
    body = to_html(row["body"])
    return render(request, "pages/article.html", lang, article=row, body=body)
