"""How a help page leaves: with its addresses for search engines, and only when the reader lacks it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web
from babel import Locale, UnknownLocaleError

from bot.errors import NotFound, TooMany
from bot.i18n import Words, chain
from bot.pipeline.defence import address_name
from bot.web.keys import APP
from bot.web.pages.help.shelf import Shelf
from bot.web.pages.site import render
from bot.web.peer import caller_of

FRESH_S = 60
"""How long a page may be shown without asking whether it still holds."""
LOOKS_A_MINUTE, VOTES_A_MINUTE = 240, 30
"""Of one network address, behind which a whole town may be."""


def language_of(request: web.Request, shelf: Shelf) -> str:
    """The language of the address. Raises NotFound for one that there is nothing in."""
    lang = request.match_info["lang"]
    if lang not in shelf.languages(request.app[APP].profile.languages):
        raise NotFound("We have no help pages in that language.")
    return lang


def name_of(words: Words, lang: str) -> str:
    """A language by its own name."""
    if words.has(key := f"language.name.{lang}"):
        return words.say(key, lang)
    try:
        return Locale.parse(lang.replace("-", "_")).get_display_name() or lang
    except (UnknownLocaleError, ValueError):
        return lang


def spoken(words: Words, lang: str) -> str:
    """The language that a page's own words are in: English where there are none in the articles' one."""
    return next(one for one in chain(lang) if one in words.languages)


def page(
    request: web.Request,
    shelf: Shelf,
    lang: str,
    template: str,
    *,
    path: str = "",
    others: Mapping[str, str] | None = None,
    changed: datetime | None = None,
    status: int = 200,
    **context: Any,
) -> web.Response:
    """A page of the help centre, or 304 when the reader has it.

    `path` is its canonical one; without it search engines leave the page out. `others` are the same page in
    other languages; else their front pages are linked."""
    app = request.app[APP]
    words, base = app.words, app.settings.public_url
    tongues = shelf.languages(app.profile.languages)
    links = {one: f"/help/{quote(one)}" for one in tongues} if others is None else others
    response = render(
        request,
        f"pages/help/{template}.html",
        spoken(words, lang),
        status=status,
        here=lang,
        kind="article" if template == "article" else "website",
        languages=[(one, name_of(words, one), link) for one, link in links.items()],
        language_name=lambda one: name_of(words, one),
        canonical=f"{base}{path}" if path else "",
        alternates=_alternates(base, links, app.profile.languages) if path else (),
        **context,
    )
    return fresh(request, response, changed) if status == 200 else response


def _alternates(base: str, links: Mapping[str, str], offered: Sequence[str]) -> list[tuple[str, str]]:
    """(language, address) of every translation, and of the one for readers of none of them."""
    if len(links) < 2:
        return []
    found = [(lang, f"{base}{link}") for lang, link in links.items()]
    default = next((lang for lang in offered if lang in links), next(iter(links)))
    return [*found, ("x-default", f"{base}{links[default]}")]


def fresh(request: web.Request, response: web.Response, changed: datetime | None = None) -> web.Response:
    """The answer with what a later request proves itself by; 304 where this one does."""
    assert isinstance(response.body, bytes)
    tag = hashlib.sha256(response.body).hexdigest()[:32]
    response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    response.etag = tag
    if changed is not None:
        response.last_modified = changed
    since, known = request.if_modified_since, request.if_none_match
    if known is not None:
        holds = any(one.value in (tag, "*") for one in known)
    else:
        holds = since is not None and changed is not None and changed.replace(microsecond=0) <= since
    if not holds:
        return response
    kept = (
        "ETag",
        "Last-Modified",
        "Cache-Control",
        "Content-Security-Policy",
        "Access-Control-Allow-Origin",
    )
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    return web.Response(status=304, headers=headers)


def caller(request: web.Request) -> str:
    """The network address that asks; empty where nobody tells."""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
    return caller_of(request.remote or "", forwarded, request.app[APP].settings.trusted_networks)


async def bound(request: web.Request, what: str, most: int) -> None:
    """Count one of at most so many a minute of this address. Raises TooMany."""
    host = caller(request)
    limits = request.app[APP].runtime.limits
    if host and not await limits.take(f"{what}:{address_name(host)}", most, 60.0):
        raise TooMany("Too many requests from this address", retry_after=60)
