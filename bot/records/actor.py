"""Who acts. Every operation runs as an actor and asks for permission through it."""

from dataclasses import dataclass
from typing import Literal

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

    @property
    def sees_everything(self) -> bool:
        """No row filter: the system, the bot (whose reads are bound to its contact), managers, admins."""
        return self.kind != "user" or self.role in ("manager", "admin")


SYSTEM = Actor("system", name="system")
BOT = Actor("bot", name="bot")
