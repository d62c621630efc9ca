"""Which sites may embed the widget."""

from urllib.parse import urlsplit

from aiohttp import web

from bot.web.keys import APP


def may_embed(request: web.Request) -> bool:
    """Whether the page's site is one of `SAMVAD_WIDGET_ORIGINS`; all are when none are named. Our own pages
    always may, and so may programs that send no origin: only browsers are kept to this."""
    app = request.app[APP]
    allowed = app.settings.widget_origin_list
    origin = request.headers.get("Origin", "")
    if not allowed or not origin:
        return True
    return origin in allowed or urlsplit(origin).netloc == request.host
