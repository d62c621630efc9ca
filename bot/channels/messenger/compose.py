"""Our messages in the form that Meta's Send API documents. Pure."""

from collections.abc import Sequence
from typing import Any

from bot.channels.meta import title_of
from bot.errors import ChannelRejected
from bot.messages import Button, Media, MediaKind, OutboundMessage, numbered

TEXT_LIMIT = 2000
INSTAGRAM_BYTES = 1000
QUICK_REPLIES = 13
TITLE_LIMIT = 20
PAYLOAD_LIMIT = 1000
_TYPES = {
    MediaKind.IMAGE: "image",
    MediaKind.STICKER: "image",
    MediaKind.AUDIO: "audio",
    MediaKind.VOICE: "audio",
    MediaKind.VIDEO: "video",
    MediaKind.DOCUMENT: "file",
}


def attachment_type(media: Media) -> str:
    """Meta's word for this kind of file."""
    return _TYPES[media.kind]


def contents(message: OutboundMessage, uploaded: Sequence[str | None]) -> list[dict[str, Any]]:
    """What to send, in order: a message holds one file or one text. The choices go with the last.

    `uploaded` has the attachment id of each file, None for one that Meta fetches by its link.
    """
    found = [_file(media, id_) for media, id_ in zip(message.media, uploaded, strict=True)]
    choices = _quick_replies(message.buttons)
    if message.text.strip() or not found:
        words = numbered(message.text, () if choices else message.buttons)
        found.append({"text": _checked(message, words)})
    if choices:
        found[-1]["quick_replies"] = choices
    if message.channel == "messenger":
        # Comes back in the echo. Instagram's documents do not name the field.
        found[-1]["metadata"] = message.id
    return found


def envelope(message: OutboundMessage, content: dict[str, Any], *, by_person: bool = False) -> dict[str, Any]:
    """The JSON body for `/messages`. `by_person` asks for the seven days that a person has to answer."""
    body: dict[str, Any] = {"recipient": {"id": message.address}, "messaging_type": "RESPONSE"}
    if by_person:
        body |= {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    if message.reply_to:
        body["reply_to"] = {"mid": message.reply_to}
    return body | {"message": content}


def _file(media: Media, attachment_id: str | None) -> dict[str, Any]:
    payload = {"attachment_id": attachment_id} if attachment_id else {"url": media.ref}
    return {"attachment": {"type": attachment_type(media), "payload": payload}}


def _quick_replies(buttons: Sequence[Button]) -> list[dict[str, str]]:
    """The choices as quick replies; none when they do not all fit."""
    titles = [title_of(button, TITLE_LIMIT) for button in buttons]
    fits = (
        len(buttons) <= QUICK_REPLIES
        and all(titles)
        and len(set(titles)) == len(titles)
        and all(0 < len(button.id) <= PAYLOAD_LIMIT for button in buttons)
    )
    if not fits:
        return []
    return [
        {"content_type": "text", "title": title, "payload": button.id}
        for button, title in zip(buttons, titles, strict=True)
    ]


def _checked(message: OutboundMessage, text: str) -> str:
    if not text.strip():
        raise ChannelRejected("Meta takes no empty message.")
    if message.channel == "instagram":
        size = len(text.encode())
        if size > INSTAGRAM_BYTES:
            raise ChannelRejected(f"Instagram takes {INSTAGRAM_BYTES} bytes; this message has {size}.")
    elif len(text) > TEXT_LIMIT:
        raise ChannelRejected(f"Messenger takes {TEXT_LIMIT} characters; this message has {len(text)}.")
    return text
