"""The console: where staff see every conversation, take over, answer, and write articles."""

from aiohttp import web

from bot.web.console import (
    channels,
    deeds,
    inbox,
    loop,
    message_templates,
    notifications,
    offers,
    parked,
    sign_in,
)
from bot.web.console.articles import editor, history, pictures, shelf
from bot.web.console.business import pages as business
from bot.web.console.flows.pages import routes as flow_routes
from bot.web.console.live import CONSOLES, Consoles, live, run_consoles
from bot.web.console.records.routes import routes as record_routes
from bot.web.pages.site import install

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = f"{{id:{_UUID}}}"


def setup(web_app: web.Application) -> None:
    """Add everything under `/console`."""
    install(web_app)
    web_app[sign_in.TRIES] = sign_in.Tries()
    web_app[CONSOLES] = Consoles()
    web_app.cleanup_ctx.append(run_consoles)
    web_app.on_shutdown.append(_close)
    one = f"/console/conversations/{_ID}"
    web_app.router.add_routes(
        [
            web.get("/console", inbox.front),
            web.get("/console/sign-in", sign_in.show_form),
            web.post("/console/sign-in", sign_in.enter),
            web.post("/console/sign-out", sign_in.leave),
            web.get("/console/language", sign_in.set_language),
            web.get("/console/live", live),
            web.get("/console/list", inbox.rows),
            web.get("/console/conversations", inbox.desk),
            web.get(one, inbox.conversation),
            web.get(f"{one}/messages", inbox.messages),
            web.get(f"{one}/panel", inbox.panel),
            web.post(f"{one}/take-over", deeds.take_over),
            web.post(f"{one}/hand-back", deeds.hand_back),
            web.post(f"{one}/say", deeds.say),
            web.post(f"{one}/typing", deeds.types),
            web.post(f"{one}/block", deeds.block),
            web.post(f"{one}/unblock", deeds.block),
            web.post(f"{one}/messages/{{message:{_UUID}}}/resend", deeds.resend),
            web.get(f"/console/messages/{_ID}/files/{{place:\\d{{1,3}}}}", inbox.media),
            web.get(f"{one}/templates", message_templates.choose),
            web.get(f"{one}/templates/{{template:{_UUID}}}", message_templates.form),
            web.get(f"{one}/templates/{{template:{_UUID}}}/preview", message_templates.preview),
            web.post(f"{one}/templates/{{template:{_UUID}}}", message_templates.send),
            web.get("/console/templates", message_templates.page),
            web.post("/console/templates/sync", message_templates.sync),
            web.get("/console/parts", deeds.parts),
            web.get("/console/start", deeds.start_form),
            web.post("/console/start", deeds.start),
            web.get("/console/offers", offers.offers),
            *loop.routes(),
            *_articles(),
            web.get(business.PATH, business.business),
            web.post(business.PATH, business.save),
            web.post(f"{business.PATH}/draft", business.change),
            *_channels(),
            *record_routes(),
            *flow_routes(),
            web.get("/console/notifications", notifications.notifications),
            web.post("/console/notifications/read", notifications.read_all),
            web.get("/console/bell", notifications.bell),
        ]
    )


def _articles() -> list[web.RouteDef]:
    """The shelf, the editor, versions, pictures."""
    one = f"{shelf.PATH}/{_ID}"
    return [
        web.get(shelf.PATH, shelf.articles),
        web.post(shelf.PATH, editor.save),
        web.get(f"{shelf.PATH}/new", editor.new_article),
        web.post(f"{shelf.PATH}/preview", editor.preview),
        web.post(f"{shelf.PATH}/pictures", pictures.upload),
        web.get(one, editor.open_article),
        web.post(one, editor.save),
        web.get(f"{one}/meanwhile", editor.meanwhile),
        web.get(f"{one}/versions", history.history),
        web.post(f"{one}/versions/{{event:{_UUID}}}", history.restore),
    ]


def _channels() -> list[web.RouteDef]:
    """Connecting channels, and what did not go through them."""
    one, message, event = (
        "/console/channels/{adapter:[a-z]{1,20}}",
        f"/console/parked/messages/{_ID}",
        r"/console/parked/events/{seq:\d{1,18}}",
    )
    return [
        web.get("/console/channels", channels.channels),
        web.get(one, channels.channel),
        web.post(one, channels.save),
        web.post(f"{one}/remove", channels.remove),
        web.post(f"{one}/test", channels.test),
        web.get("/console/parked", parked.parked),
        web.get("/console/parked/count", parked.count),
        web.post("/console/parked/resend", parked.resend_kind),
        web.post(f"{message}/resend", parked.resend),
        web.post(f"{message}/discard", parked.discard),
        web.post(f"{event}/retry", parked.retry),
        web.post(f"{event}/discard", parked.discard_one),
        web.post(f"{event}/read", parked.read),
    ]


async def _close(web_app: web.Application) -> None:
    web_app[CONSOLES].close()
