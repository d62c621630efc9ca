"""How a failed request is answered: problem+json (RFC 9457) for programs, a short page for people.

What we raise on purpose says what to do. Anything else is a 500 that tells the client a correlation id, and
the log where it happened: never a stack trace outside, never personal data in the log.
"""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.errors import ConfigurationInvalid, NotSignedIn, SamvadError, Unavailable
from bot.ids import new_id
from bot.logs import correlation, logger
from bot.storage.database import dump_json
from bot.web.keys import APP
from bot.web.pages.site import direction, pick_language

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PROBLEM = "application/problem+json"
_STANDARD = frozenset({"type", "title", "status", "detail", "code"})
_PRIVATE = (Unavailable, ConfigurationInvalid)  # their messages are for the operator's log
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_ROOT = Path(__file__).resolve().parent.parent.parent
_log = logger("web")


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors, and give the request its correlation id."""
    mark = correlation.set(correlation.get() or new_id())
    try:
        return await handler(request)
    except SamvadError as error:
        return _refused(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = _CODES.get(error.status, "http_error")
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return _answer(request, error.status, code, _sentence(request, error), headers=headers)
    except Exception as error:
        return _failed(request, error)
    finally:
        correlation.reset(mark)


def _refused(request: web.Request, error: SamvadError) -> web.Response:
    """An error raised on purpose."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, NotSignedIn) else {}
    if "retry_after" in error.data:
        headers["Retry-After"] = str(error.data["retry_after"])
    if not isinstance(error, _PRIVATE):
        return _answer(request, error.status, error.code, error.message, error.data, headers)
    _log.error(error.code, detail=error.message, **_whence(request, error))
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "2"
        detail = "A part that this needs is down for the moment; please try again."
    else:
        detail = "A setting of this server is wrong; its log says which."
    return _answer(request, error.status, error.code, detail, {"correlation_id": correlation.get()}, headers)


def _failed(request: web.Request, error: Exception) -> web.Response:
    """An error nobody expected. Its message may hold what a customer wrote, so only its kind is logged."""
    found = correlation.get()
    _log.error("unexpected", error=type(error).__name__, **_whence(request, error))
    detail = f"Something failed on our side. Give your operator this id to find it in the log: {found}"
    return _answer(request, 500, "error", detail, {"correlation_id": found})


def _whence(request: web.Request, error: BaseException) -> dict[str, Any]:
    """What a log line says of a failed request."""
    return {"route": _route(request), "at": _places(error), "correlation_id": correlation.get()}


def _places(error: BaseException) -> list[str]:
    """Where it happened, innermost last: files, lines and functions, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name


def _route(request: web.Request) -> str:
    """The route's pattern: the path itself may hold a token or an address."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '?'}"


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    if error.status == 404:
        return "There is nothing at this address."
    if error.status == 405:
        return f"This address does not take {request.method}; it takes {error.headers.get('Allow', 'less')}."
    if error.status == 415:
        return "Send the body as JSON, with `Content-Type: application/json`."
    return f"{error.reason}."


def _for_programs(request: web.Request) -> bool:
    return f"{request.path}/".startswith("/api/") or "text/html" not in request.headers.get("Accept", "")


def _answer(
    request: web.Request,
    status: int,
    code: str,
    detail: str,
    data: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    answered = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    if not _for_programs(request):
        body = _page(request, code)
        answered["Content-Security-Policy"] = "default-src 'none'"
        return web.Response(text=body, status=status, content_type="text/html", headers=answered)
    text = dump_json(problem(status, code, detail, data or {}))
    return web.Response(text=text, status=status, content_type=PROBLEM, headers=answered)


def problem(status: int, code: str, detail: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An error as RFC 9457 writes it."""
    return {
        "type": f"urn:samvad:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        **{name: value for name, value in data.items() if name not in _STANDARD},
    }


def problem_of(error: SamvadError) -> dict[str, Any]:
    """An error raised on purpose as RFC 9457 writes it."""
    return problem(error.status, error.code, error.message, error.data)


def _page(request: web.Request, code: str) -> str:
    """A page that needs no template, no style and no script: it must work when little else does."""
    app = request.app[APP]
    lang = pick_language(request, app.profile.languages)
    key = "page.not_found" if code == "not_found" else f"error.{code}"
    if not app.words.has(key):
        key = "error.error"
    sentence = escape(app.words.say(key, lang))
    title = escape(app.profile.name)
    return (
        f'<!doctype html><html lang="{lang}" dir="{direction(lang)}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f'<h1>{sentence}</h1><p><a href="/">{title}</a></p></html>\n'
    )
