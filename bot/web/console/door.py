"""The console's door: who is signed in, and that what they send is their own doing.

The session cookie is HttpOnly and SameSite=Lax. Every form carries a token bound to the session, in a field
or a header; a page elsewhere cannot know it.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from bot.crm.user import actor_for_session
from bot.errors import Forbidden, NotSignedIn, SamvadError, TooLarge
from bot.records.actor import SYSTEM, Actor
from bot.records.permissions import allowed
from bot.web.console.records.layout import ROOMS, SETTINGS
from bot.web.keys import APP
from bot.web.pages.site import STAFF_LANGUAGES, pick_language, render

if TYPE_CHECKING:
    from bot.app import App

SESSION = "samvad_session"
_NONCE = "samvad_form"
_PATH = "/console"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The staff member at the other end of a request."""

    app: "App"
    actor: Actor
    lang: str
    csrf: str


Room = Callable[[web.Request, Viewer], Awaitable[web.StreamResponse]]


def language_of(request: web.Request) -> str:
    """The console's language for this browser."""
    return pick_language(request, STAFF_LANGUAGES)


def wants_fragment(request: web.Request) -> bool:
    """Whether htmx asks for a part of a page."""
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def is_https(request: web.Request) -> bool:
    """Whether customers and staff reach us by https."""
    return request.app[APP].settings.public_url.startswith("https://")


def _bound_to(request: web.Request, secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()[:32]
    return request.app[APP].sign(f"csrf:{digest}")


async def check_form(request: web.Request, secret: str) -> None:
    """Raise Forbidden unless the form or header carries the token bound to `secret`."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("This form was sent from another site")
    given = request.headers.get("X-CSRF-Token") or str((await request.post()).get("csrf", ""))
    if not secret or not secrets.compare_digest(given.encode(), _bound_to(request, secret).encode()):
        raise Forbidden("This page is too old. Load it again.")


def form_token(request: web.Request) -> tuple[str, str]:
    """(nonce for a cookie, token for the form) for the one form that is sent before anybody is signed in."""
    nonce = request.cookies.get(_NONCE, "")
    if len(nonce) < 20:
        nonce = secrets.token_urlsafe(24)
    return nonce, _bound_to(request, nonce)


def keep_nonce(request: web.Request, response: web.StreamResponse, nonce: str) -> None:
    """Set the sign-in form's cookie."""
    response.set_cookie(
        _NONCE, nonce, path=_PATH, httponly=True, samesite="Lax", secure=is_https(request), max_age=3600
    )


def nonce_of(request: web.Request) -> str:
    """The sign-in form's cookie."""
    return request.cookies.get(_NONCE, "")


def keep_session(request: web.Request, response: web.StreamResponse, token: str, seconds: int) -> None:
    """Set the session cookie."""
    response.set_cookie(
        SESSION, token, path=_PATH, httponly=True, samesite="Lax", secure=is_https(request), max_age=seconds
    )


def room(handler: Room) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A page for staff: asks who it is, checks forms, and tells errors in words."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        app = request.app[APP]
        token = request.cookies.get(SESSION, "")
        try:
            actor = await app.store.read(actor_for_session, SYSTEM, token)
        except NotSignedIn:
            return _to_sign_in(request)
        viewer = Viewer(app, actor, language_of(request), _bound_to(request, token))
        try:
            if request.method != "GET":
                await check_form(request, token)
            return await handler(request, viewer)
        except SamvadError as error:
            return tell(request, viewer, error)
        except web.HTTPRequestEntityTooLarge as error:
            return tell(request, viewer, TooLarge(error.text or "The form is too large"))

    return guarded


def _to_sign_in(request: web.Request) -> web.Response:
    target = "/console/sign-in"
    if request.method == "GET" and not wants_fragment(request):
        target += f"?next={quote(request.path_qs, safe='')}"
    if wants_fragment(request):
        return web.Response(status=401, headers={"HX-Redirect": target})
    if request.headers.get("Accept") == "text/event-stream":
        return web.Response(status=401)
    return web.Response(status=303, headers={"Location": target})


def show(
    request: web.Request, viewer: Viewer, template: str, *, status: int = 200, **context: object
) -> web.Response:
    """A console page or fragment for this viewer."""
    return render(
        request,
        f"console/{template}",
        viewer.lang,
        status=status,
        viewer=viewer.actor,
        sees=partial(allowed, viewer.actor, "read"),
        keeps=partial(allowed, viewer.actor, "update"),
        makes=partial(allowed, viewer.actor, "create"),
        record_rooms=ROOMS,
        setting_rooms=SETTINGS,
        csrf=viewer.csrf,
        languages=STAFF_LANGUAGES,
        here=request.path_qs,
        **context,
    )


def tell(request: web.Request, viewer: Viewer, error: SamvadError) -> web.Response:
    """An error as a sentence: beside the page for htmx, else as a page."""
    words = viewer.app.words
    reason = error.data.get("reason")
    key = f"console.refused.{reason}"
    text = words.say(key if reason and words.has(key) else error.locale_key, viewer.lang)
    field = error.data.get("field")
    if isinstance(field, str) and words.has(f"console.wrong.{field}"):
        takes = ", ".join(
            words.say(f"console.takes.{kind}", viewer.lang, size=size)
            for kind, size in error.data.get("takes", {}).items()
        )
        text = words.say(f"console.wrong.{field}", viewer.lang, takes=takes or "–")
    if wants_fragment(request):
        response = show(request, viewer, "_notice.html", status=error.status, text=text)
        response.headers.update({"HX-Retarget": "#toast", "HX-Reswap": "innerHTML"})
        return response
    return show(request, viewer, "trouble.html", status=error.status, text=text)
