"""The record kinds of the API, by their names in addresses."""

from dataclasses import dataclass

from bot.conversations.entities import ENTITIES
from bot.records.entity import Entity


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind. `entity` is as the program ships it; the admins' own fields are in the schema of a
    transaction."""

    path: str
    entity: Entity

    @property
    def name(self) -> str:
        """Its name in queries."""
        return self.entity.name

    @property
    def words(self) -> str:
        """Its name in sentences."""
        return self.name.replace("_", " ")


KINDS: dict[str, Kind] = {
    name.replace("_", "-"): Kind(name.replace("_", "-"), entity) for name, entity in ENTITIES.items()
}
