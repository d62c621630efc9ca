"""Links to stored files for who cannot sign in: providers that fetch them, customers who read an SMS.

The link itself is the permission: signed by us, for one file, for a while.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot import clock
from bot.messages import Media, MediaKind

LASTS = timedelta(days=90)
DAY_S = 86_400
NAME_LIMIT = 30
"""Of a file's name in its link: an SMS has room for little."""
_PREFIX = "file:"


@dataclass(frozen=True, slots=True)
class FileLinks:
    """`sign` and `unsign` are those of our tokens; `base_url` is where the world reaches us."""

    sign: Callable[[str], str]
    unsign: Callable[[str], str | None]
    base_url: str

    def path(self, media: Media) -> str:
        """`/files/<token>`, good for 90 days."""
        # By whole days, so that a page that asks again gets the same address and need not load it twice.
        until = int((clock.now() + LASTS).timestamp()) // DAY_S
        name = Path(media.filename)
        short = f"{name.stem[:NAME_LIMIT]}{name.suffix[:10]}"
        fields = [media.ref, media.kind.value, media.mime, short, until]
        packed = json.dumps(fields, ensure_ascii=False).encode()
        return "/files/" + self.sign(_PREFIX + base64.urlsafe_b64encode(packed).decode())

    def url(self, media: Media) -> str:
        """The whole address."""
        return self.base_url + self.path(media)

    def open(self, token: str) -> Media | None:
        """The file that a link names; None when it is not ours or too old."""
        value = self.unsign(token)
        if value is None or not value.startswith(_PREFIX):
            return None
        ref, kind, mime, name, until = json.loads(base64.urlsafe_b64decode(value.removeprefix(_PREFIX)))
        if until * DAY_S < clock.now().timestamp():
            return None
        return Media(MediaKind(kind), ref, mime, name)
