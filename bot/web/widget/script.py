"""`/widget.js`: the widget's small modules, its style and its words, joined into one script."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.adapter import MediaLimit
from bot.channels.webchat import FILES_LIMIT
from bot.i18n import Words
from bot.media.sniff import DOCUMENTS, EXTENSIONS
from bot.messages import MediaKind
from bot.web.keys import APP
from bot.web.pages.site import direction

_STATIC = Path(__file__).resolve().parent / "static"
_PARTS = (
    *("kept.js", "dom.js", "theme.js", "person.js", "link.js", "outbox.js", "files.js", "messages.js"),
    *("unread.js", "reach.js", "greeting.js", "offers.js", "panel.js", "main.js"),
)
_HEAD = """"use strict";
if (window.Samvad) return;
const TAG = document.currentScript;
const BASE = TAG.src.replace(/\\/widget\\.js.*$/, "");"""
KEYS = (
    *("open", "close", "placeholder", "send", "hello", "bot", "you", "typing", "log", "new"),
    *("sending", "sent", "seen", "failed", "retry", "offline", "file", "image", "place", "human"),
    *("attach", "drop", "remove", "uploading", "file_large", "file_kind", "file_many", "file_empty"),
    *("file_failed", "agent_typing", "dismiss", "away", "address", "leave", "left", "address_wrong"),
    *("articles", "new_page"),
)
"""Texts that the page says itself; `{count}`, `{name}` and `{limit}` are filled in there."""
_LATER = {name: f"{{{name}}}" for name in ("count", "name", "limit")}


def texts(words: Words, lang: str, business: str) -> dict[str, str]:
    """The widget's words in a language."""
    return {key: words.say(f"widget.{key}", lang, business=business, **_LATER) for key in KEYS}


def file_rules(media: Mapping[MediaKind, MediaLimit]) -> list[list[Any]]:
    """What the page checks before it uploads: [types and endings, most bytes] of each kind."""
    return [
        [list(limit.mimes) or [*DOCUMENTS, *EXTENSIONS], limit.max_bytes]
        for kind, limit in media.items()
        if kind is not MediaKind.VOICE  # sent as a sound
    ]


def build(
    words: Words, languages: tuple[str, ...], business: str, media: Mapping[MediaKind, MediaLimit]
) -> str:
    """The script. Its parts share one closure; nothing but `window.Samvad` is seen outside."""
    catalogue = {lang: {"dir": direction(lang), **texts(words, lang, business)} for lang in languages}
    data = {
        "CSS": (_STATIC / "widget.css").read_text("utf-8"),
        "TEXTS": catalogue,
        "BUSINESS": business,
        "FILES": file_rules(media),
        "FILES_LIMIT": FILES_LIMIT,
    }
    constants = "\n".join(
        f"const {name} = {json.dumps(value, ensure_ascii=False)};" for name, value in data.items()
    )
    parts = "\n".join((_STATIC / name).read_text("utf-8") for name in _PARTS)
    return f"(() => {{\n{_HEAD}\n{constants}\n{parts}\n}})();\n"


async def script(request: web.Request) -> web.Response:
    """Serve it, packed where the browser unpacks, and only when it changed."""
    app = request.app[APP]
    media = app.channels["webchat"].features("webchat").media
    body = build(app.words, app.profile.languages, app.profile.name, media).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=300",
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 6, mtime=0)
    return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)
