"""What all our pages share: templates, static files, words, languages, security headers."""

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
import js_lib_htmx
from aiohttp import web

from bot.dialogs.drawing import STYLE as PICTURES
from bot.errors import NotFound, SamvadError
from bot.i18n import written_from_right
from bot.web.keys import APP
from bot.web.pages import times

_WEB = Path(__file__).resolve().parent.parent
_HTMX = Path(js_lib_htmx.__file__).parent / "static" / "htmx" / "htmx.min.js"
STAFF_LANGUAGES = ("en", "hi", "hi-Latn", "ur")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Assets:
    """Static files of the pages and the console, read once; one digest names them all, so that modules
    that import each other stay together and browsers may keep them for ever."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, bytes, str]] = {}
        for room in ("pages", "console"):
            for path in sorted((_WEB / room / "static").iterdir()):
                self._add(f"{room}/{path.name}", path)
        self._add("htmx.js", _HTMX)
        self._add("flow.css", PICTURES)
        whole = b"".join(body for body, _, _ in self.files.values())
        self.digest = hashlib.sha256(whole).hexdigest()[:12]

    def _add(self, name: str, path: Path) -> None:
        body = path.read_bytes()
        kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
        self.files[name] = (body, gzip.compress(body, 9, mtime=0), kind or "application/octet-stream")

    def url(self, name: str) -> str:
        """The address of a file, `pages/samvad.css`."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"


ASSETS: web.AppKey[Assets] = web.AppKey("assets", Assets)


def install(web_app: web.Application) -> None:
    """Prepare templates and static files; further calls change nothing."""
    if ASSETS in web_app:
        return
    assets = web_app[ASSETS] = Assets()
    loader = jinja2.PrefixLoader(
        {room: jinja2.FileSystemLoader(_WEB / room / "templates") for room in ("pages", "console")}
    )
    aiohttp_jinja2.setup(
        web_app,
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    aiohttp_jinja2.get_env(web_app).globals["static"] = assets.url
    web_app.router.add_get("/static/{digest}/{name:.+}", _static)


async def _static(request: web.Request) -> web.Response:
    assets = request.app[ASSETS]
    found = assets.files.get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    body, packed, kind = found
    current = request.match_info["digest"] == assets.digest
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"], body = "gzip", packed
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def direction(lang: str) -> str:
    """`rtl` for languages written from right to left, else `ltr`."""
    return "rtl" if written_from_right(lang) else "ltr"


def pick_language(request: web.Request, offered: tuple[str, ...]) -> str:
    """The language asked for by `?lang=`, by the cookie, by the browser; else the first offered."""
    wanted = [request.query.get("lang", ""), request.cookies.get("samvad_lang", "")]
    for part in request.headers.get("Accept-Language", "").split(","):
        tag = part.split(";", 1)[0].strip()
        wanted += [tag, tag.split("-", 1)[0]]
    return next((lang for lang in wanted if lang in offered), offered[0])


def render(
    request: web.Request, template: str, lang: str, *, status: int = 200, **context: Any
) -> web.Response:
    """A page or a fragment of one, in a language, with its security headers."""
    app = request.app[APP]
    shown = {
        "t": partial(_say, app.words, lang),
        "has_words": app.words.has,
        "lang": lang,
        "dir": direction(lang),
        "direction": direction,
        "business": app.profile.name,
        "clock": partial(times.clock, lang=lang, zone=app.profile.time_zone),
        "day": partial(times.day, lang=lang, zone=app.profile.time_zone),
        "date": partial(times.date, lang=lang, zone=app.profile.time_zone),
        "ago": partial(times.ago, lang=lang),
        "iso": times.iso,
    }
    response = aiohttp_jinja2.render_template(template, request, shown | context, status=status)
    secure(request, response)
    return response


def _say(words: Any, lang: str, key: str, **values: Any) -> str:
    return str(words.say(key, lang, **values))


def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Only our own files may run, be shown in a frame by nobody, and tell nobody where a reader came from."""
    sockets = f"ws://{request.host} wss://{request.host}"
    response.headers.update(
        {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                f"media-src 'self'; font-src 'self'; connect-src 'self' {sockets}; form-action 'self'; "
                "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(self), geolocation=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
    )
    response.headers.setdefault("Cache-Control", "no-store")
    if request.app[APP].settings.public_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"


def public(handler: Handler) -> Handler:
    """A page for everyone: what goes wrong is told on a page, in the reader's language."""

    async def page(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except SamvadError as error:
            offered = request.app[APP].profile.languages
            named = request.match_info.get("lang")
            lang = named if named in offered else pick_language(request, offered)
            key = "page.not_found" if isinstance(error, NotFound) else error.locale_key
            return render(
                request, "pages/error.html", lang, status=error.status, message=key, back=f"/help/{lang}"
            )

    return page
