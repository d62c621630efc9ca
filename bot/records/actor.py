"""Who acts. Every operation runs as an actor and asks for permission through it."""

from dataclasses import dataclass
from typing import Literal

from bot.records.access import DEFAULT, Access

Role = Literal["agent", "rep", "manager", "marketer", "admin"]
ROLES: tuple[Role, ...] = ("agent", "rep", "manager", "marketer", "admin")


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind` user: a staff member with a role; bot: the dialog engine serving a contact; system: timers,
    housekeeping, the command line on the machine itself."""

    kind: Literal["user", "bot", "system"]
    id: str | None = None
    role: Role | None = None
    team_id: str | None = None
    name: str = ""
    territory_ids: tuple[str, ...] = ()
    """Those the user works in, with all that lie inside them."""
    scopes: frozenset[str] | None = None
    """What an API key is limited to, as `contacts:read` or `cases:write`; None: all that the user may."""
    access: Access = DEFAULT
    """The table of roles in force when the actor was read."""

    @property
    def sees_everything(self) -> bool:
        """No row filter: the system, the bot (whose reads are bound to its contact), managers, admins."""
        return self.kind != "user" or self.role in ("manager", "admin")


SYSTEM = Actor("system", name="system")
BOT = Actor("bot", name="bot")
