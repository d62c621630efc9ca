"""Handing out a stored file so that it can do no harm in our page."""

from urllib.parse import quote

from aiohttp import web

from bot.errors import NotFound
from bot.media import MediaStore
from bot.web.keys import APP
from bot.web.pages.extra import File, file_of
from bot.web.pages.site import public


def send_file(store: MediaStore, file: File) -> web.FileResponse:
    """Pictures, sounds and films are shown; everything else is a download. Raises NotFound."""
    if not file.kept:
        raise NotFound("That file was never fetched, or its time is over")
    manner = "inline" if file.inline else "attachment"
    return web.FileResponse(
        store.path(file.ref),
        headers={
            "Content-Type": file.mime if file.inline else "application/octet-stream",
            "Content-Disposition": f"{manner}; filename*=UTF-8''{quote(file.name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "private, max-age=86400",
        },
    )


@public
async def linked_file(request: web.Request) -> web.StreamResponse:
    """GET /files/{token}: a file for whoever was given its link."""
    app = request.app[APP]
    media = app.runtime.links.open(request.match_info["token"])
    if media is None:
        raise NotFound("That link is not ours, or too old")
    return send_file(app.media, file_of(media))
