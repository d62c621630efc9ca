"""What a page may say after its hello: a message, an address, that somebody types, or has read."""

from typing import Any

from aiohttp import web

from bot.app import App
from bot.channels.webchat import identified, inbound_from_page, seen_by_page
from bot.crm.address import normal_email, normal_phone
from bot.errors import InvalidInput, SamvadError
from bot.messages import Identity, Parsed
from bot.notices import Notice
from bot.pipeline.defence import address_name
from bot.web.keys import APP, VISITOR_TYPES
from bot.web.widget.files import uploaded
from bot.web.widget.hub import HUB, PER_S, Page

Frame = dict[str, Any]


async def take(web_app: web.Application, page: Page, data: Frame | None) -> Frame | None:
    """Do what a frame asks; returns what to tell the page."""
    kind = data.get("type") if data is not None else None
    if data is not None and kind == "typing":
        _types(web_app, page)
        return None
    if data is not None and kind == "read":
        await _has_read(web_app[APP], page, data)
        return None
    return await _store(web_app, page, data)


async def _store(web_app: web.Application, page: Page, data: Frame | None) -> Frame:
    """Store one message of the visitor."""
    app = web_app[APP]
    client_id = data.get("id") if data else None
    if not (web_app[HUB].messages.allow(page.visitor) and await _may_write(app, page)):
        text = app.words.say("widget.too_fast", page.lang)
        return {"type": "error", "id": client_id, "code": "too_fast", "text": text, "retry_after": PER_S}
    try:
        if data is None:
            raise InvalidInput("not a JSON object")
        parsed = _address(app, page, data) if data.get("type") == "contact" else _message(app, page, data)
        web_app[HUB].expect(page.visitor)
        await app.receive(parsed, "webchat")
    except SamvadError as error:
        key = "widget.address_wrong" if error.data.get("field") == "address" else error.locale_key
        text = app.words.say(key, page.lang)
        return {"type": "error", "id": client_id, "code": error.code, "text": text}
    return {"type": "accepted", "id": client_id}


async def _may_write(app: App, page: Page) -> bool:
    """Whether this network address may: a visitor costs nothing, so that counting visitors is not enough."""
    most = app.settings.flood_address if page.host else 0
    return await app.runtime.limits.take(f"address:{address_name(page.host)}", most, 60.0)


def _message(app: App, page: Page, data: Frame) -> Parsed:
    media = uploaded(app, data.get("files"), page.visitor)
    message = inbound_from_page(data, page.visitor, media=media, identities=page.identities, name=page.name)
    return Parsed(messages=(message,))


def _address(app: App, page: Page, data: Frame) -> Parsed:
    """An address left for later: what the visitor wrote, and a claim of it. Typed, it proves nothing."""
    given = data.get("address")
    written = given if isinstance(given, str) else ""
    email, phone = normal_email(written), normal_phone(written, app.profile.country)
    if email is not None:
        claim = Identity("email", email, verified=False)
    elif phone is not None:
        claim = Identity("phone", phone, verified=False)
    else:
        raise InvalidInput("address must be an e-mail address or a phone number", field="address")
    said = inbound_from_page(
        {"type": "message", "id": data.get("id"), "text": claim.value},
        page.visitor,
        identities=page.identities,
        name=page.name,
    )
    return Parsed(messages=(said, identified(page.visitor, f"address:{claim.value}", (claim,))))


def _types(web_app: web.Application, page: Page) -> None:
    """Tell the consoles that the visitor is writing; nothing is stored."""
    if page.conversation_id is not None and web_app[HUB].keys.allow(page.visitor):
        web_app[APP].bus.post([Notice(VISITOR_TYPES, page.conversation_id)])


async def _has_read(app: App, page: Page, data: Frame) -> None:
    """The visitor has had our messages up to this one before their eyes."""
    newest = data.get("id")
    read = sorted(one for one in page.unread if isinstance(newest, str) and one <= newest)
    if read:
        page.unread.difference_update(read)
        await app.receive(Parsed(statuses=tuple(seen_by_page(one) for one in read)), "webchat")
