"""Writing the knowledge base."""

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import ARTICLE, ARTICLE_STATUSES, edit_article, save_article
from bot.errors import Conflict
from bot.records.permissions import allowed
from bot.records.tx import Record, Tx
from bot.records.write import get
from bot.web.console.door import Viewer, room, show, wants_fragment
from bot.web.pages.markdown import to_html

MAX_BODY = 200_000


def _all(tx: Tx) -> list[Record]:
    tx.require("read", "articles")
    table = ARTICLE.table
    columns = (table.c.id, table.c.key, table.c.lang, table.c.title, table.c.status, table.c.updated_at)
    statement = sa.select(*columns).where(table.c.deleted_at.is_(None))
    return tx.rows(statement.order_by(table.c.key, table.c.lang).limit(2000))


def _one(tx: Tx, article_id: str) -> Record:
    return get(tx, ARTICLE, article_id)


@room
async def articles(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles."""
    found = await viewer.app.store.read(_all, viewer.actor)
    return show(request, viewer, "articles.html", articles=found, may_write=_may_write(viewer))


def _may_write(viewer: Viewer) -> bool:
    return allowed(viewer.actor, "update", "articles")


@room
async def editor(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """GET /console/articles/{id} and /console/articles/new."""
    article: Record = {"id": "", "key": "", "lang": viewer.app.profile.languages[0], "title": "", "body": ""}
    article = {**article, "status": "draft"}
    if "id" in request.match_info:
        article = await viewer.app.store.read(_one, viewer.actor, request.match_info["id"])
    return show(
        request,
        viewer,
        "editor.html",
        article=article,
        preview=to_html(article["body"]),
        statuses=ARTICLE_STATUSES,
        article_languages=viewer.app.profile.languages,
        may_write=_may_write(viewer),
    )


@room
async def preview(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/articles/preview: the text as customers will see it."""
    form = await request.post()
    body = str(form.get("body", ""))[:MAX_BODY]
    return show(request, viewer, "_preview.html", preview=to_html(body))


@room
async def save(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/articles/{id} and /console/articles."""
    form = await request.post()
    title, body = str(form.get("title", ""))[:300], str(form.get("body", ""))[:MAX_BODY]
    status = str(form.get("status", ""))
    if which := request.match_info.get("id"):
        await viewer.app.store.run(edit_article, viewer.actor, which, title, body, status)
    else:
        key, lang = str(form.get("key", ""))[:120], str(form.get("lang", ""))[:12]
        which = await viewer.app.store.run(_add, viewer.actor, key, lang, title, body, status)
    target = f"/console/articles/{which}?saved=1"
    if wants_fragment(request):
        return web.Response(headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})


def _add(tx: Tx, key: str, lang: str, title: str, body: str, status: str) -> str:
    table = ARTICLE.table
    taken = sa.select(table.c.id).where(
        table.c.key == key, table.c.lang == lang, table.c.deleted_at.is_(None)
    )
    if tx.row(taken) is not None:
        raise Conflict("There is an article with this id and language already", field="key")
    return save_article(tx, key, lang, title, body, status)
