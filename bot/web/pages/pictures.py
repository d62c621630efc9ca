"""Pictures of articles, for all who read them: the address names the content, so it may be kept for ever."""

from aiohttp import web

from bot.errors import SamvadError
from bot.media.pictures import MIMES, ROOT, Pictures
from bot.web.keys import APP

ROUTE = rf"{ROOT}{{name:[0-9a-f]{{64}}\.(?:{'|'.join(MIMES)})}}"


async def picture(request: web.Request) -> web.StreamResponse:
    """GET /help/pictures/{digest}.{ending}."""
    name = request.match_info["name"]
    try:
        path = Pictures(request.app[APP].settings.data_dir).path(ROOT + name)
    except SamvadError:
        raise web.HTTPNotFound from None
    return web.FileResponse(
        path,
        headers={
            "Content-Type": MIMES[name.rpartition(".")[2]],
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "public, max-age=31536000, immutable",
        },
    )
