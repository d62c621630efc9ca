"""Pictures of articles: apart from what customers sent, each at an address that names its content. An address
stays as long as the file does, here and wherever the articles are taken.
"""

import hashlib
import re
from pathlib import Path

from bot.errors import InvalidInput, NotFound, TooLarge
from bot.media import MediaStore
from bot.media.sniff import HEAD, sniff

MAX_BYTES = 10 * 1024 * 1024
ROOT = "/help/pictures/"
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
MIMES = {ending: mime for mime, ending in _ENDINGS.items()}
"""What a picture of an article may be, by how its address ends. No SVG: it may hold a program."""
ADDRESS = re.compile(rf"{ROOT}([0-9a-f]{{64}})\.({'|'.join(MIMES)})")


class Pictures:
    """The folder of them, beside the database."""

    def __init__(self, data_dir: Path) -> None:
        """The folder is made on first use."""
        self.store = MediaStore(data_dir.resolve() / "pictures")

    def put(self, content: bytes) -> str:
        """Keep a picture; returns its address. Raises InvalidInput, TooLarge."""
        address = address_of(content)
        self.store.put(content)
        return address

    def path(self, address: str) -> Path:
        """Where the picture of an address lies. Raises NotFound."""
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise NotFound("That is no address of a picture")
        path = self.store.path(f"media:{match[1]}")
        with path.open("rb") as file:
            if sniff(file.read(HEAD), "") != MIMES[match[2]]:
                raise NotFound("That picture is of another kind")
        return path


def kind_of(content: bytes) -> str:
    """The MIME type of a picture that an article may show. Raises InvalidInput, TooLarge."""
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A picture has at most {MAX_BYTES // 1024**2} MB", limit=MAX_BYTES, field="picture")
    mime = sniff(content[:HEAD], "")
    if mime not in _ENDINGS:
        raise InvalidInput("A picture is PNG, JPEG, GIF or WebP", field="picture")
    return mime


def address_of(content: bytes) -> str:
    """The address that a picture has, kept or not. Raises InvalidInput, TooLarge."""
    return f"{ROOT}{hashlib.sha256(content).hexdigest()}.{_ENDINGS[kind_of(content)]}"
