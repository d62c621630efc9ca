"""What each role may do to each kind of record, and which fields it does not see or may not change.

`TABLE` is what Samvad comes with; admins change single cells of it (`access_rules`), and the result is one
`Access`, which every actor carries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["read", "create", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("read", "create", "update", "delete")
_ALL = frozenset(ACTIONS)
_RW = frozenset({"read", "create", "update"})
_R = frozenset({"read"})
_NONE: frozenset[str] = frozenset()
_EVERYBODY_READS = {"agent": _R, "rep": _R, "manager": _R, "marketer": _R}
_EVERYBODY_KEEPS: dict[str, frozenset[str]] = {"agent": _ALL, "rep": _ALL, "manager": _ALL, "marketer": _ALL}

# entity -> role -> actions. What is not here is forbidden. Admins may do everything.
TABLE: dict[str, dict[str, frozenset[str]]] = {
    "contacts": {"agent": _RW, "rep": _RW, "manager": _ALL, "marketer": _R},
    "identities": {"agent": _ALL, "rep": _ALL, "manager": _ALL, "marketer": _R},
    "accounts": {"agent": _R, "rep": _RW, "manager": _ALL, "marketer": _R},
    "affiliations": {"agent": _RW, "rep": _ALL, "manager": _ALL, "marketer": _R},
    "contact_links": {"agent": _RW, "rep": _ALL, "manager": _ALL, "marketer": _R},
    "leads": {"agent": _RW, "rep": _RW, "manager": _ALL, "marketer": _R},
    "opportunities": {"agent": _R, "rep": _RW, "manager": _ALL, "marketer": _R},
    "stakeholders": {"agent": _R, "rep": _ALL, "manager": _ALL, "marketer": _R},
    "stages": {"agent": _R, "rep": _R, "manager": _ALL, "marketer": _R},
    "cases": {"agent": _RW, "rep": _R, "manager": _ALL},
    "activities": {"agent": _RW, "rep": _RW, "manager": _ALL},
    "activity_links": {"agent": _ALL, "rep": _ALL, "manager": _ALL},
    "attendees": {"agent": _ALL, "rep": _ALL, "manager": _ALL},
    "files": {"agent": _ALL, "rep": _ALL, "manager": _ALL, "marketer": _R},
    "file_versions": {"agent": _R, "rep": _R, "manager": _R, "marketer": _R},
    "conversations": {"agent": _RW, "rep": _RW, "manager": _ALL},
    "messages": {"agent": _RW, "rep": _RW, "manager": _RW},
    "articles": {"agent": _RW, "rep": _R, "manager": _ALL, "marketer": _ALL},
    "questions": {"agent": _R, "manager": _ALL, "marketer": _R},
    "article_votes": {"agent": _R, "manager": _R, "marketer": _R},
    "consents": _EVERYBODY_READS,
    "events": _EVERYBODY_READS,
    "users": _EVERYBODY_READS,
    "teams": _EVERYBODY_READS,
    "territories": _EVERYBODY_READS,
    "territory_members": _EVERYBODY_READS,
    "categories": {"agent": _R, "rep": _R, "manager": _ALL, "marketer": _R},
    "shares": {"agent": _ALL, "rep": _ALL, "manager": _ALL},
    "custom_fields": _EVERYBODY_READS,
    "validation_rules": _EVERYBODY_READS,
    "rules": {"manager": _R},
    "rule_versions": {"manager": _R},
    "rule_runs": {"manager": _R},
    "flow_versions": {"manager": _R},
    "channel_accounts": {"manager": _R},
    "templates": {"agent": _R, "rep": _R, "manager": _RW, "marketer": _R},
    "outbox": {"agent": _RW, "rep": _RW, "manager": _RW},
    "business": {"agent": _R, "rep": _R, "manager": _RW, "marketer": _R},
    "timers": {"manager": _R},
    "views": _EVERYBODY_KEEPS,
    "notifications": {"agent": _RW, "rep": _RW, "manager": _RW, "marketer": _RW},
}
# The bot serves one contact at a time and writes only these.
BOT_WRITES: frozenset[str] = frozenset(
    {
        *("contacts", "identities", "leads", "cases", "activities", "conversations", "messages"),
        *("consents", "timers", "outbox", "notifications", "codes", "questions"),
    }
)
_CellKey = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """The table in force. `hidden` and `read_only` hold fields by (role, kind)."""

    table: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=lambda: TABLE)
    hidden: Mapping[_CellKey, frozenset[str]] = field(default_factory=dict)
    read_only: Mapping[_CellKey, frozenset[str]] = field(default_factory=dict)

    def actions(self, role: str, entity: str) -> frozenset[str]:
        """What the role may do to such records."""
        return _ALL if role == "admin" else self.table.get(entity, {}).get(role, _NONE)

    def hides(self, role: str, entity: str, name: str) -> bool:
        """Whether the field does not exist for this role."""
        return name in self.hidden.get((role, entity), _NONE)

    def locks(self, role: str, entity: str, name: str) -> bool:
        """Whether the role sees the field but may not change it."""
        return name in self.read_only.get((role, entity), _NONE)


DEFAULT = Access()


def with_rules(rules: Iterable[Mapping[str, Any]]) -> Access:
    """The table changed by the admins' rules: a rule without a field sets a cell's actions, one with a
    field hides it or makes it read-only for the role."""
    table = {entity: dict(roles) for entity, roles in TABLE.items()}
    hidden: dict[_CellKey, set[str]] = {}
    read_only: dict[_CellKey, set[str]] = {}
    for rule in rules:
        key = (rule["role"], rule["entity"])
        if rule["field"]:
            (hidden if rule["may"] == "hidden" else read_only).setdefault(key, set()).add(rule["field"])
        else:
            table.setdefault(rule["entity"], {})[rule["role"]] = _ALL & set(rule["may"].split())
    return Access(
        table,
        {key: frozenset(names) for key, names in hidden.items()},
        {key: frozenset(names) for key, names in read_only.items()},
    )
