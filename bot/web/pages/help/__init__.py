"""The help centre: what everybody may read, by language; and whether it was useful."""

from aiohttp import web

from bot.web.pages.help import pages, votes
from bot.web.pages.help.shelf import SHELVES, Shelves


def setup(web_app: web.Application) -> None:
    """Add the routes `/help/…`. An article's key is none of the names beside it (`TAKEN_KEYS`)."""
    web_app[SHELVES] = Shelves()
    router = web_app.router
    router.add_get("/help", pages.to_language)
    router.add_get("/help/sitemap.xml", pages.sitemap)
    router.add_get("/help/{lang}", pages.front)
    router.add_get("/help/{lang}/search", pages.search)
    router.add_get("/help/{lang}/suggest", pages.suggest)
    router.add_get("/help/{lang}/category/{name}", pages.category)
    router.add_get("/help/{lang}/{key}", pages.article)
    router.add_post("/help/{lang}/{key}/useful", votes.useful)
