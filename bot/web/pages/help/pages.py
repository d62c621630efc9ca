"""The help centre's pages that are read: the front page, a category, a search, an article, the sitemap."""

from collections import Counter
from functools import partial
from urllib.parse import quote
from xml.sax.saxutils import escape

import sqlalchemy as sa
from aiohttp import web

from bot.crm.article import ARTICLE, find_published
from bot.errors import NotFound
from bot.knowledge.retrieve import Asked
from bot.records.tx import Record, Tx
from bot.web.keys import APP
from bot.web.pages.help.answers import LOOKS_A_MINUTE, bound, fresh, language_of, page
from bot.web.pages.help.find import MOST_ASKED, Found, find
from bot.web.pages.help.shelf import PUBLIC, Card, Shelf, order, reading
from bot.web.pages.help.text import read
from bot.web.pages.site import pick_language, public

USEFUL, RESULTS, SUGGESTED, LISTED = 6, 20, 3, 500
GONE = 410


def _nothing(_tx: Tx, _shelf: Shelf) -> None:
    """For pages that need the shelf alone."""


@public
async def to_language(request: web.Request) -> web.StreamResponse:
    """`/help`: on to the reader's language."""
    shelf, _ = await reading(request, _nothing)
    lang = pick_language(request, shelf.languages(request.app[APP].profile.languages))
    headers = {"Location": f"/help/{quote(lang)}", "Vary": "Accept-Language, Cookie"}
    return web.Response(status=302, headers=headers)


@public
async def front(request: web.Request) -> web.StreamResponse:
    """`/help/{lang}`: the search, what readers found most useful, the categories, and the rest."""
    shelf, _ = await reading(request, _nothing)
    lang = language_of(request, shelf)
    cards = shelf.listed(_langs(request, lang))
    useful = sorted(
        (one for one in cards if shelf.useful.get(one.key, 0) > 0), key=lambda one: -shelf.useful[one.key]
    )
    topics = Counter(topic for card in cards if (topic := shelf.topic(card, lang)))
    return page(
        request,
        shelf,
        lang,
        "front",
        path=f"/help/{quote(lang)}",
        changed=shelf.newest,
        useful=useful[:USEFUL],
        topics=sorted(topics.items(), key=lambda one: one[0].casefold()),
        cards=[card for card in cards if not card.category][:LISTED],
    )


@public
async def category(request: web.Request) -> web.StreamResponse:
    """`/help/{lang}/category/{name}`: its articles."""
    shelf, _ = await reading(request, _nothing)
    lang, name = language_of(request, shelf), request.match_info["name"]
    cards = [card for card in shelf.listed(_langs(request, lang)) if shelf.topic(card, lang) == name][:LISTED]
    if not cards:
        raise NotFound("There is no such category.")
    path = f"/help/{quote(lang)}/category/{quote(name, safe='')}"
    changed = max(card.updated_at for card in cards)
    # Each language names its categories itself, so that no page of another one is known to be the same.
    return page(request, shelf, lang, "category", path=path, changed=changed, name=name, cards=cards)


@public
async def search(request: web.Request) -> web.StreamResponse:
    """`/help/{lang}/search?q=`: the articles that fit."""
    await bound(request, "help", LOOKS_A_MINUTE)
    question = _question(request)
    meant = await request.app[APP].library.asked(question)
    shelf, found = await reading(request, partial(_find, request, meant, RESULTS))
    lang = language_of(request, shelf)
    asked = f"?q={quote(question)}" if question else ""
    tongues = shelf.languages(request.app[APP].profile.languages)
    others = {one: f"/help/{quote(one)}/search{asked}" for one in tongues}
    return page(request, shelf, lang, "search", others=others, question=question, found=found)


async def suggest(request: web.Request) -> web.StreamResponse:
    """`/help/{lang}/suggest?q=`: a few articles that may answer what is being written, as JSON for any page
    that has the widget."""
    await bound(request, "help", LOOKS_A_MINUTE)
    asked = Asked(_question(request))  # while somebody types: by the words alone, which takes no time
    shelf, found = await reading(request, partial(_find, request, asked, SUGGESTED))
    lang = language_of(request, shelf)
    articles = [
        {"title": one.card.title, "lang": one.card.lang, "url": _address(lang, one.card.key)} for one in found
    ]
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    return fresh(request, web.json_response({"articles": articles}, headers=headers))


@public
async def article(request: web.Request) -> web.StreamResponse:
    """`/help/{lang}/{key}`: one article; in another language where this one lacks it."""
    key, langs = request.match_info["key"], _langs(request, request.match_info["lang"])
    shelf, (row, gone) = await reading(request, partial(_article, key, langs))
    lang = language_of(request, shelf)
    card = shelf.ids.get(row["id"]) if row is not None else None
    if row is None or card is None:
        near: list[Found] = []
        if gone:
            words = Asked(key.replace("-", " "))
            shelf, near = await reading(request, partial(_find, request, words, SUGGESTED))
        return page(
            request, shelf, lang, "missing", status=GONE if gone else 404, gone=gone, near=near, question=""
        )
    text, there = read(row["body"]), shelf.keys[key]
    app = request.app[APP]
    voted = request.query.get("voted", "")
    return page(
        request,
        shelf,
        lang,
        "article",
        # An article that stands in for its translation is known by its own address.
        path="" if voted else _address(card.lang, key),
        others={one: _address(one, key) for one in shelf.languages(app.profile.languages) if one in there},
        changed=row["updated_at"] if not voted else None,
        article=row,
        topic=shelf.topic(card, lang),
        text=text,
        headings=[heading for heading in text.headings if heading.level == 2],
        voted=voted if voted in ("yes", "no", "told") else "",
        related=shelf.related(card, langs),
    )


def _article(key: str, langs: tuple[str, ...], tx: Tx, _shelf: Shelf) -> tuple[Record | None, bool]:
    """The article, or whether there was one that everybody could read until it was archived."""
    try:
        return find_published(tx, key, langs), False
    except NotFound:
        table = ARTICLE.table
        was = (table.c.key == key, table.c.status == "archived", table.c.audience.in_(PUBLIC))
        archived = sa.select(table.c.id).where(*was, table.c.deleted_at.is_(None))
        return None, tx.row(archived) is not None


def _find(request: web.Request, asked: Asked, limit: int, _tx: Tx, shelf: Shelf) -> list[Found]:
    """In a thread of readers: a search may take longer than the loop should be held."""
    langs = _langs(request, request.match_info["lang"])
    return find(shelf, request.app[APP].library.index, asked, langs, limit) if asked.text else []


def _question(request: web.Request) -> str:
    return " ".join(request.query.get("q", "")[:MOST_ASKED].split())


def _langs(request: web.Request, lang: str) -> tuple[str, ...]:
    return order(lang, request.app[APP].profile.languages)


def _address(lang: str, key: str) -> str:
    return f"/help/{quote(lang)}/{quote(key, safe='')}"


async def sitemap(request: web.Request) -> web.StreamResponse:
    """`/help/sitemap.xml`: every page for search engines, with its translations."""
    shelf, _ = await reading(request, _nothing)
    app = request.app[APP]
    base = app.settings.public_url
    tongues = shelf.languages(app.profile.languages)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _URLSET]
    fronts = {one: f"{base}/help/{quote(one)}" for one in tongues}
    for one in tongues:
        lines.append(_entry(fronts[one], fronts, None))
    for key, there in sorted(shelf.keys.items()):
        addresses = {one: f"{base}{_address(one, key)}" for one in tongues if one in there}
        lines += [_entry(address, addresses, there[one]) for one, address in addresses.items()]
    lines.append("</urlset>\n")
    answer = web.Response(text="\n".join(lines), content_type="application/xml", charset="utf-8")
    return fresh(request, answer, shelf.newest)


_URLSET = (
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">'
)


def _entry(address: str, others: dict[str, str], card: Card | None) -> str:
    changed = f"<lastmod>{card.updated_at:%Y-%m-%d}</lastmod>" if card is not None else ""
    links = "".join(
        f'<xhtml:link rel="alternate" hreflang="{escape(lang)}" href="{escape(other)}"/>'
        for lang, other in others.items()
        if len(others) > 1
    )
    return f"<url><loc>{escape(address)}</loc>{changed}{links}</url>"
