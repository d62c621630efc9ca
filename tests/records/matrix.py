"""Who may do what to which record, said once more in plain Python and independently of bot.records.

A business as in tests/support/people.py, with records of every main kind: owned by every kind of owner, in a
territory of the asking user, and shared with them to be read or to be changed.
"""

from dataclasses import dataclass, field

from bot.crm.account import ACCOUNT
from bot.crm.activity import ACTIVITY
from bot.crm.case import CASE
from bot.crm.contact import CONTACT
from bot.crm.lead import LEAD
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.territory import TERRITORY, TERRITORY_MEMBER
from bot.crm.user import actor_of, add_user, team_id
from bot.records.actor import Actor, Role
from bot.records.entity import Entity
from bot.records.shares import SHARE
from bot.records.tx import Tx
from bot.records.write import create, delete, get

MAIN: tuple[Entity, ...] = (ACCOUNT, CONTACT, LEAD, OPPORTUNITY, CASE, ACTIVITY)
WHOSE = (
    "self",
    "mate",
    "stranger",
    "loner",
    "nobody",
    "territory",
    "inner",
    "to_read",
    "to_write",
    "to_team",
)
"""The asking user's, one of their team's, of another team, of somebody without a team, nobody's; of another
team but in their territory, or in one inside it; of another team but shared with them or with their team."""
EVERYBODY = {"agent", "rep", "manager", "marketer", "admin"}
MAY = {
    "read": dict.fromkeys(("accounts", "contacts", "leads", "opportunities"), EVERYBODY)
    | {name: EVERYBODY - {"marketer"} for name in ("cases", "activities")},
    "create": {
        "accounts": {"rep", "manager", "admin"},
        "contacts": {"agent", "rep", "manager", "admin"},
        "leads": {"agent", "rep", "manager", "admin"},
        "opportunities": {"rep", "manager", "admin"},
        "cases": {"agent", "manager", "admin"},
        "activities": {"agent", "rep", "manager", "admin"},
    },
    "delete": {
        name: {"manager", "admin"}
        for name in ("accounts", "contacts", "leads", "opportunities", "cases", "activities")
    },
}
MAY["update"] = MAY["create"]


def sees(role: str, whose: str) -> bool:
    """Whether a record of this owner is there for a user of this role, who may read the kind."""
    if role in ("manager", "admin"):
        return True
    if whose == "loner":
        return role == "agent"  # what no team has is every agent's to take up
    return whose != "stranger"


def changes(role: str, whose: str) -> bool:
    """Whether they may change it, if they may change the kind."""
    return sees(role, whose) and (whose != "to_read" or role in ("manager", "admin"))


def expected(role: str, action: str, kind: str, whose: str) -> str:
    """ok, forbidden, or missing (it does not exist for them)."""
    if role not in MAY[action][kind]:
        return "forbidden"
    if not sees(role, whose):
        return "missing"
    if action == "read" or changes(role, whose):
        return "ok"
    return "forbidden"


@dataclass
class Place:
    """`rows[kind][whose]` and `gone[kind][whose]` (deleted ones) are ids."""

    actor: Actor
    other: str
    contact: str
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    gone: dict[str, dict[str, str]] = field(default_factory=dict)


def _filled(kind: str, contact: str) -> dict[str, object]:
    name: dict[str, object] = {"name": "N"}
    return {
        "accounts": name,
        "contacts": name,
        "leads": {"contact_id": contact},
        "opportunities": {**name, "amount": 5000, "currency": "INR", "contact_id": contact},
        "cases": {"contact_id": contact, "subject": "S"},
        "activities": {"subject": "S", "about": "contacts", "about_id": contact, "contact_id": contact},
    }[kind]


def place(tx: Tx, role: Role) -> Place:
    """The business, seen by a user of this role."""
    north, south = team_id(tx, "north"), team_id(tx, "south")
    users = {
        name: add_user(tx, f"{name}@example.com", role if name == "self" else "rep", team=team)
        for name, team in (("self", "north"), ("mate", "north"), ("stranger", "south"), ("loner", None))
    }
    whole = create(tx, TERRITORY, {"name": "North-east"})
    inner = create(tx, TERRITORY, {"name": "Assam", "parent_id": whole})
    create(tx, TERRITORY_MEMBER, {"territory_id": whole, "user_id": users["self"]})
    contact = create(tx, CONTACT, {"name": "Everybody's"})
    made = Place(Actor("user"), users["mate"], contact)
    for entity in MAIN:
        for rows, ending in ((made.rows, False), (made.gone, True)):
            for whose in WHOSE:
                owner = whose if whose in (*users, "nobody") else "stranger"
                team = {"self": north, "mate": north, "stranger": south}.get(owner)
                values = {
                    **_filled(entity.name, contact),
                    "owner_id": users.get(owner),
                    "team_id": team,
                    "territory_id": {"territory": whole, "inner": inner}.get(whose),
                }
                record = create(tx, entity, values)
                rows.setdefault(entity.name, {})[whose] = record
                share = {"entity": entity.name, "record_id": record, "level": "write"}
                if whose == "to_read":
                    create(tx, SHARE, {**share, "user_id": users["self"], "level": "read"})
                elif whose == "to_write":
                    create(tx, SHARE, {**share, "user_id": users["self"]})
                elif whose == "to_team":
                    create(tx, SHARE, {**share, "team_id": north})
                if ending:
                    delete(tx, entity, get(tx, entity, record))
    users_table = tx.schema.entity("users").table
    row = tx.row(users_table.select().where(users_table.c.id == users["self"]))
    assert row is not None
    made.actor = actor_of(tx, row)
    return made
