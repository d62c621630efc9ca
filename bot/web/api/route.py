"""What a route of the API is."""

from dataclasses import dataclass
from typing import Literal

from bot.records.permissions import Action
from bot.web.api.bodies import Body, Described
from bot.web.api.call import Work
from bot.web.api.kinds import Kind

Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `work` does it in one transaction; `answers` names the schema of what it returns."""

    method: Method
    path: str
    work: Work
    name: str
    summary: str
    answers: str
    needs: tuple[Action, str] | None
    """What the actor must be allowed to do, to which kind: also the scope that a limited key must have; None:
    the work asks for itself."""
    status: int = 200
    kind: Kind | None = None
    parameters: tuple[str, ...] = ()
    body: Body | Described | None = None

    @property
    def guarded(self) -> bool:
        """Whether `If-Match` keeps it from undoing somebody else's change."""
        return self.method in ("PATCH", "DELETE")

    @property
    def scopes(self) -> list[str]:
        """The scope that a limited key must have."""
        if self.needs is None:
            return []
        action, entity = self.needs
        return [f"{entity}:{'read' if action == 'read' else 'write'}"]

    @property
    def refuses(self) -> tuple[int, ...]:
        """The statuses it may end with when it does not do its work."""
        found = {400, 401, 403, 429, 500, 503}
        if "{" in self.path or self.body is not None:
            found.add(404)
        if self.method != "GET":
            found |= {409, 413, 415, 422}
        if self.guarded:
            found.add(412)
        return tuple(sorted(found))
