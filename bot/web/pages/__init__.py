"""Public pages: the front door and the knowledge base; and what all our pages share."""

from aiohttp import web

from bot.web.pages import calendar, unsubscribe, visit
from bot.web.pages import help as help_centre
from bot.web.pages.files import linked_file
from bot.web.pages.home import home
from bot.web.pages.pictures import ROUTE as PICTURES
from bot.web.pages.pictures import picture
from bot.web.pages.site import install


def setup(web_app: web.Application) -> None:
    """Add the routes `/`, `/help/…`, `/files/…`, `/calendar/…`, `/visit/…`, `/u/…` and `/static/…`."""
    install(web_app)
    web_app.router.add_get("/", home)
    web_app.router.add_get(PICTURES, picture)
    help_centre.setup(web_app)
    web_app.router.add_get("/files/{token}", linked_file)
    web_app.router.add_get("/calendar/{token}.ics", calendar.feed)
    web_app.router.add_get("/visit/{token}.ics", visit.visit)
    web_app.router.add_get("/u/{token}", unsubscribe.ask)
    web_app.router.add_post("/u/{token}", unsubscribe.stop)
