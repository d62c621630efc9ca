"""The record kinds of the API."""

from dataclasses import dataclass

from bot.conversations.entities import ENTITIES
from bot.records.entity import Entity


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind by its name in addresses."""

    path: str
    entity: Entity

    @property
    def extra(self) -> tuple[str, ...]:
        """Fields that come from other records."""
        return self.entity.extras.names if self.entity.extras is not None else ()


def _kind(path: str) -> Kind:
    return Kind(path, ENTITIES[path.replace("-", "_")])


KINDS: dict[str, Kind] = {
    kind.path: kind
    for kind in (
        _kind("contacts"),
        _kind("identities"),
        _kind("accounts"),
        _kind("leads"),
        _kind("cases"),
        _kind("activities"),
        _kind("conversations"),
        _kind("messages"),
        _kind("articles"),
        _kind("consents"),
        _kind("events"),
        _kind("users"),
        _kind("teams"),
        _kind("rules"),
        _kind("rule-versions"),
        _kind("rule-runs"),
        _kind("channel-accounts"),
        _kind("templates"),
        _kind("notifications"),
    )
}
