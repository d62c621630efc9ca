"""What a message holds beside its text, as pages show it: buttons, files, a place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.media import extension, shown_inline
from bot.messages import Media


@dataclass(frozen=True, slots=True)
class File:
    """A stored file of a message. `place` counts from 0; `kept` is False where it was never fetched, or has
    `expired` since."""

    place: int
    kind: str
    mime: str
    name: str
    size: int | None
    ref: str
    expired: bool = False

    @property
    def kept(self) -> bool:
        """Whether we hold the file itself."""
        return self.ref.startswith("media:") and not self.expired

    @property
    def inline(self) -> bool:
        """Whether a browser may show it in the page."""
        return self.kept and shown_inline(self.mime)


def files_of(message: Mapping[str, Any]) -> list[File]:
    """The files of a message row."""
    found = []
    for place, item in enumerate((message["extra"] or {}).get("media") or ()):
        mime = str(item.get("mime") or "application/octet-stream")
        kind = str(item.get("kind") or "document")
        name = str(item.get("filename") or f"{kind}{extension(mime)}")
        ref, expired = str(item.get("ref") or ""), bool(item.get("expired"))
        found.append(File(place, kind, mime, name, item.get("size"), ref, expired))
    return found


def file_of(media: Media, place: int = 0) -> File:
    """A stored file by itself."""
    name = media.filename or f"{media.kind.value}{extension(media.mime)}"
    return File(place, media.kind.value, media.mime, name, media.size, media.ref)


def buttons_of(message: Mapping[str, Any]) -> list[dict[str, str]]:
    """The buttons of a message row: id and title."""
    items = (message["extra"] or {}).get("buttons") or ()
    return [{"id": str(name), "title": str(title)} for name, title in items]


@dataclass(frozen=True, slots=True)
class Place:
    """A location a customer shared."""

    latitude: float
    longitude: float
    name: str
    address: str

    @property
    def map_url(self) -> str:
        """A map of it; opened only when somebody follows the link."""
        return (
            f"https://www.openstreetmap.org/?mlat={self.latitude}&mlon={self.longitude}"
            f"#map=16/{self.latitude}/{self.longitude}"
        )


def place_of(message: Mapping[str, Any]) -> Place | None:
    """The location in a message row, if any."""
    place = (message["extra"] or {}).get("location")
    return Place(*place) if place else None
