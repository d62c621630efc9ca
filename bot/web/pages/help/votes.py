"""A reader says whether an article was useful. It works without scripts and without cookies."""

from functools import partial
from urllib.parse import quote, urlsplit

from aiohttp import web

from bot.clock import now
from bot.crm.article_vote import COMMENT_LIMIT, vote
from bot.errors import Conflict, Forbidden, InvalidInput, NotFound
from bot.ids import new_id
from bot.messages import clean
from bot.records.actor import SYSTEM
from bot.web.keys import APP
from bot.web.pages.help.answers import VOTES_A_MINUTE, bound, caller, language_of
from bot.web.pages.help.shelf import order, reading
from bot.web.pages.site import public


@public
async def useful(request: web.Request) -> web.StreamResponse:
    """POST `/help/{lang}/{key}/useful`: `helpful` is `yes` or `no`; `comment` may follow."""
    app, key = request.app[APP], request.match_info["key"]
    _only_from_here(request)
    await bound(request, "vote", VOTES_A_MINUTE)
    form = await request.post()
    said = form.get("helpful")
    if said not in ("yes", "no"):
        raise InvalidInput("helpful must be yes or no", field="helpful")
    comment = clean(str(form.get("comment", ""))).strip()[:COMMENT_LIMIT]
    shelf, _ = await reading(request, lambda _tx, _shelf: None)
    lang = language_of(request, shelf)
    card = shelf.card(key, order(lang, app.profile.languages))
    if card is None:
        raise NotFound("There is no such article.")
    count = partial(vote, helpful=said == "yes", comment=comment)
    voter = _voter(request)
    try:
        await app.store.run(count, SYSTEM, card.id, voter, lang)
    except Conflict:  # pressed twice at once: the first one is there now, and this changes it
        await app.store.run(count, SYSTEM, card.id, voter, lang)
    answered = "told" if comment else said
    location = f"/help/{quote(lang)}/{quote(key, safe='')}?voted={answered}#useful"
    return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})


def _only_from_here(request: web.Request) -> None:
    """Another site's page must not let its readers vote."""
    origin = request.headers.get("Origin", "")
    ours = {request.host, urlsplit(request.app[APP].settings.public_url).netloc}
    if origin and urlsplit(origin).netloc not in ours:
        raise Forbidden("A vote comes from the article's own page")


def _voter(request: web.Request) -> str:
    """By what a reader's second vote is known for a day. Nobody finds the reader by it."""
    host = caller(request) or new_id()  # where no address is told, many readers would be one
    device = request.headers.get("User-Agent", "")
    return request.app[APP].runtime.tokens.digest(f"vote:{now():%Y-%m-%d}:{host}:{device}")
