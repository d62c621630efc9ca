"""A request as the work of a route sees it, and its answer: values, nothing of the web framework."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from bot.adapter import Features
from bot.crm.business import Profile
from bot.dialogs.understanding.review import Review
from bot.records.tx import Tx
from bot.storage.database import dump_json


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and checked against its route."""

    profile: Profile
    features: Callable[[str], Features]
    """What the channel of an account can do."""
    id: str = ""
    sub_id: str = ""
    """The ids in the path."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The parameters of the query string."""
    body: Any = None
    if_match: str = ""
    calendar: Callable[[str], str] = str
    """The address of the calendar that a value names (`bot.crm.feed`)."""
    review: Callable[[], Review] = Review
    """What the model in use says of the flows' examples."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which a date is a day."""
        return ZoneInfo(self.profile.time_zone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers. `version` is that of the record that the body shows; a body that is shown `once`
    is kept for no repeat."""

    body: Any
    status: int = 200
    version: int | None = None
    location: str = ""
    text: str = ""
    once: bool = False

    def written(self) -> "Answer":
        """With its body as text: done beside the database, not in the event loop."""
        if self.text or self.body is None:
            return self
        return replace(self, body=None, text=dump_json(self.body))

    @property
    def etag(self) -> str:
        """A strong validator: the record's version, which If-Match asks for, and what the body shows of it,
        which depends on who asks for which fields."""
        seen = blake2b(self.text.encode(), digest_size=6).hexdigest()
        return f'"{seen}"' if self.version is None else f'"{self.version}-{seen}"'


Work = Callable[[Tx, Call], Answer]
