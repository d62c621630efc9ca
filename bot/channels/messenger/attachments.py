"""What is attached to a message of Messenger or Instagram. Pure."""

import mimetypes
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.channels.reading import Json, json_object, place, text
from bot.errors import Unreadable
from bot.messages import Location, Media, MediaKind, clean

_KINDS = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.VIDEO,
    "file": MediaKind.DOCUMENT,
    "sticker": MediaKind.STICKER,
}
# Meta does not say the type of a file; a name in the link may.
_USUAL = {
    MediaKind.IMAGE: "image/jpeg",
    MediaKind.AUDIO: "audio/mp4",
    MediaKind.VIDEO: "video/mp4",
    MediaKind.STICKER: "image/png",
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What the attachments of one message hold. `links` are posts, reels, stories and pages, a text for each;
    `other` is the kind of the first one that we cannot read."""

    media: tuple[Media, ...] = ()
    links: tuple[str, ...] = ()
    location: Location | None = None
    other: str = ""


def shared(attachments: list[Any]) -> Shared:
    """Read the attachments of one message. Raises Unreadable."""
    media: dict[str, Media] = {}
    links: dict[str, None] = {}
    location, other = None, ""
    for given in attachments:
        item = json_object(given, "attachment")
        kind = text(item, "type")
        payload = json_object(item.get("payload") or {}, "payload")
        url = text(payload, "url") or text(item, "url")
        if kind in _KINDS and url:
            # A sticker may come twice, as a sticker and as an image under the same link.
            sticker = kind == "sticker" or "sticker_id" in payload
            one = _file(MediaKind.STICKER if sticker else _KINDS[kind], url)
            media[url] = one if sticker else media.get(url, one)
        elif kind == "location":
            location = _place(payload, text(item, "title"))
        elif url and kind not in _KINDS:
            # Meta does not want stories and posts copied, so they stay links.
            title = text(payload, "title") or text(item, "title")
            links["\n".join(line for line in (title, url) if line)] = None
        else:
            other = other or kind
    return Shared(tuple(media.values()), tuple(links), location, other)


def _file(kind: MediaKind, url: str) -> Media:
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise Unreadable("a file's link cannot be read", field="url") from error
    usual = _USUAL.get(kind, "application/octet-stream")
    mime = mimetypes.guess_type(name)[0] or usual
    if kind is not MediaKind.DOCUMENT and mime.partition("/")[0] != usual.partition("/")[0]:
        mime = usual  # voice notes are called .mp4
    return Media(kind, url, mime, clean(name)[:200] if kind is MediaKind.DOCUMENT else "")


def _place(payload: Json, title: str) -> Location:
    degrees = json_object(payload.get("coordinates"), "coordinates")
    return place(degrees.get("lat"), degrees.get("long"), title)
