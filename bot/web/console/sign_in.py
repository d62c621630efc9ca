"""Signing in and out."""

from collections import deque
from functools import partial
from time import monotonic

from aiohttp import web

from bot.crm.user import SESSION_LIFE, check_password, for_sign_in, log_failure, open_session, sign_out
from bot.errors import SamvadError
from bot.records.actor import SYSTEM, Actor
from bot.web.console.door import (
    SESSION,
    check_form,
    form_token,
    keep_nonce,
    keep_session,
    language_of,
    nonce_of,
    room,
)
from bot.web.console.door import Viewer as Viewer
from bot.web.keys import APP
from bot.web.pages.site import STAFF_LANGUAGES, render

WINDOW_S = 900.0
PER_ADDRESS, PER_HOST = 8, 40
"""Failed tries in a quarter of an hour: for one e-mail address from one host, and from one host at all."""


class Tries:
    """Counts failed tries by name, forgetting old ones; bounded."""

    def __init__(self) -> None:
        self._failed: dict[str, deque[float]] = {}

    def too_many(self, name: str, limit: int) -> bool:
        """Whether this name failed `limit` times within the window."""
        times = self._failed.get(name)
        while times and times[0] < monotonic() - WINDOW_S:
            times.popleft()
        return times is not None and len(times) >= limit

    def failed(self, name: str) -> None:
        """Count one."""
        if len(self._failed) > 20_000:
            self._failed = {
                name: times for name, times in self._failed.items() if times[-1] > monotonic() - WINDOW_S
            }
        self._failed.setdefault(name, deque(maxlen=PER_HOST)).append(monotonic())

    def forget(self, name: str) -> None:
        """They got in."""
        self._failed.pop(name, None)


TRIES: web.AppKey[Tries] = web.AppKey("sign_in_tries", Tries)


def _safe_target(target: str) -> str:
    return (
        target if target.startswith("/console") and "\\" not in target and "//" not in target else "/console"
    )


def _form(request: web.Request, status: int = 200, message: str = "", email: str = "") -> web.Response:
    lang = language_of(request)
    nonce, csrf = form_token(request)
    response = render(
        request,
        "console/sign_in.html",
        lang,
        status=status,
        csrf=csrf,
        message=message,
        email=email,
        languages=STAFF_LANGUAGES,
        target=_safe_target(request.query.get("next", "/console")),
        here=request.path_qs,
    )
    keep_nonce(request, response, nonce)
    return response


async def show_form(request: web.Request) -> web.Response:
    """GET /console/sign-in."""
    return _form(request)


async def enter(request: web.Request) -> web.StreamResponse:
    """POST /console/sign-in: as slow and as silent for an unknown address as for a wrong password."""
    app, tries = request.app[APP], request.app[TRIES]
    try:
        await check_form(request, nonce_of(request))
    except SamvadError:
        return _form(request, 403, "console.sign_in_again")
    form = await request.post()
    email = str(form.get("email", "")).strip().lower()[:254]
    password = str(form.get("password", ""))[:1000]
    host = request.remote or ""
    both = f"{email}\n{host}"
    if tries.too_many(both, PER_ADDRESS) or tries.too_many(host, PER_HOST):
        return _form(request, 429, "console.sign_in_wait", email)
    user = await app.store.read(for_sign_in, SYSTEM, email)
    known = user["password_hash"] if user else None
    if not await app.store.aside(partial(check_password, known, password)) or user is None:
        tries.failed(both)
        tries.failed(host)
        await app.store.run(log_failure, SYSTEM, user["id"] if user else None)
        return _form(request, 401, "console.sign_in_wrong", email)
    tries.forget(both)
    token = await app.store.run(open_session, Actor("user", user["id"], user["role"]), user["id"])
    response = web.Response(status=303, headers={"Location": _safe_target(str(form.get("next", "")))})
    keep_session(request, response, token, int(SESSION_LIFE.total_seconds()))
    return response


@room
async def leave(request: web.Request, viewer: Viewer) -> web.StreamResponse:
    """POST /console/sign-out."""
    await viewer.app.store.run(sign_out, viewer.actor, request.cookies.get(SESSION, ""))
    response = web.Response(status=303, headers={"Location": "/console/sign-in"})
    response.del_cookie(SESSION, path="/console")
    return response


async def set_language(request: web.Request) -> web.StreamResponse:
    """GET /console/language?to=hi: a choice of the browser's, kept a year."""
    wanted = request.query.get("to", "")
    response = web.Response(
        status=303, headers={"Location": _safe_target(request.query.get("back", "/console"))}
    )
    if wanted in STAFF_LANGUAGES:
        response.set_cookie("samvad_lang", wanted, max_age=31536000, samesite="Lax", httponly=True)
    return response
