"""Our messages in the form that Meta documents. Pure."""

from typing import Any

from bot.channels.meta import title_of
from bot.channels.whatsapp.templates import fill
from bot.errors import ChannelRejected
from bot.messages import Media, MediaKind, OutboundMessage, numbered

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
INTERACTIVE_LIMIT = 1024
REPLY_BUTTONS = 3
LIST_ROWS = 10
TITLE_LIMIT = 20


def compose(message: OutboundMessage, media_id: str | None = None) -> dict[str, Any]:
    """The JSON body for `/messages`. `media_id` is what an upload of the file returned."""
    # People who hide their number are reached by Meta's id of them, "IN.1349…", in another field.
    receiver = "to" if message.address.isascii() and message.address.isdigit() else "recipient"
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        receiver: message.address,
        "biz_opaque_callback_data": message.id,
    }
    if message.reply_to:
        body["context"] = {"message_id": message.reply_to}
    if message.template is not None:
        media = message.media[0] if message.media else None
        return body | {"type": "template", "template": fill(message.template, media, media_id)}
    if message.media:
        return body | _media(message, message.media[0], media_id)
    if message.buttons and _fits(message):
        return body | _interactive(message)
    return body | {"type": "text", "text": {"body": _plain(message), "preview_url": False}}


def _fits(message: OutboundMessage) -> bool:
    titles = [title_of(button, TITLE_LIMIT) for button in message.buttons]
    return (
        0 < len(message.text) <= INTERACTIVE_LIMIT
        and len(titles) <= LIST_ROWS
        and all(titles)
        and len(set(titles)) == len(titles)
    )


def _plain(message: OutboundMessage) -> str:
    """The text, with the choices numbered below it where WhatsApp cannot show them as buttons."""
    text = numbered(message.text, message.buttons)
    if not text.strip():
        raise ChannelRejected("WhatsApp takes no empty message.")
    if len(text) > TEXT_LIMIT:
        raise ChannelRejected(f"WhatsApp takes {TEXT_LIMIT} characters; this message has {len(text)}.")
    return text


def _interactive(message: OutboundMessage) -> dict[str, Any]:
    if len(message.buttons) <= REPLY_BUTTONS:
        buttons = [
            {"type": "reply", "reply": {"id": button.id, "title": title_of(button, TITLE_LIMIT)}}
            for button in message.buttons
        ]
        shown: dict[str, Any] = {"type": "button", "action": {"buttons": buttons}}
    else:
        rows = [{"id": button.id, "title": title_of(button, TITLE_LIMIT)} for button in message.buttons]
        # The list's own button needs a label; a sign needs no translation.
        shown = {"type": "list", "action": {"button": "☰", "sections": [{"rows": rows}]}}
    return {"type": "interactive", "interactive": shown | {"body": {"text": message.text}}}


def _media(message: OutboundMessage, media: Media, media_id: str | None) -> dict[str, Any]:
    kind = "audio" if media.kind is MediaKind.VOICE else media.kind.value
    item: dict[str, Any] = {"id": media_id} if media_id else {"link": media.ref}
    if message.text and kind in ("image", "video", "document"):
        item["caption"] = message.text[:CAPTION_LIMIT]
    if media.filename and kind == "document":
        item["filename"] = media.filename
    if media.kind is MediaKind.VOICE:
        item["voice"] = True
    return {"type": kind, kind: item}
