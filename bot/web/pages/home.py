"""The front door: a page on which anyone may talk to the business as a customer would."""

from aiohttp import web

from bot.web.keys import APP
from bot.web.pages.site import pick_language, public, render

SUGGESTIONS = ("page.try_question", "page.try_case", "page.try_lead")


@public
async def home(request: web.Request) -> web.Response:
    """`/`: the business, the widget, three things to say."""
    profile = request.app[APP].profile
    lang = pick_language(request, profile.languages)
    return render(
        request, "pages/home.html", lang, languages=profile.languages, suggestions=SUGGESTIONS, here="/"
    )
