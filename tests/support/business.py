"""A small business of random records of every kind that queries reach, in a database and in memory."""

from datetime import UTC, datetime
from random import Random
from typing import Any

from bot.conversations.entities import ENTITIES
from bot.ids import new_id
from bot.records.access import Access
from bot.records.actor import ROLES, SYSTEM, Actor
from bot.records.definitions import CUSTOM_FIELD
from bot.records.search.index import enter
from bot.records.store import Store
from bot.records.tags import taggings
from bot.records.tx import Tx
from tests.support.queries import DAYS, MOMENTS, TEXTS, insert

KINDS = (
    *("teams", "users", "territories", "accounts", "contacts", "opportunities", "cases", "activities"),
    *("identities", "affiliations", "stakeholders"),
)
"""Those whose every field stands in the rows."""
ASKED = frozenset(KINDS) - {"territories"}
OWN = {
    "x_tier": ("enum", {"values": ["gold", "silver", "basic"]}),
    "x_budget": ("money", {"currency": "JPY"}),
    "x_rate": ("number", {}),
    "x_code": ("text", {"searchable": True}),
    "x_seats": ("integer", {}),
    "x_vip": ("boolean", {}),
    "x_since": ("date", {}),
    "x_seen": ("instant", {}),
    "x_buddy_id": ("id", {"target": "contacts"}),
}
NAMES = ["Lakshmi Traders", "Laxmi", "लक्ष्मी", "Asha Rao", "Mohammed", "O'Brien & Co", "", "and", "Zoë"]
SOME = [None, None, 0, 1, 5, 250050, 50000000]


def define_own_fields(store: Store) -> None:
    """The admins' fields, of every type, on contacts."""

    def add(tx: Tx) -> None:
        for place, (name, (kind, options)) in enumerate(OWN.items()):
            row = {"entity": "contacts", "name": name, "label": name, "type": kind, "position": place}
            insert(tx, CUSTOM_FIELD, {"searchable": False, **row, **options})

    store.write_now(add, SYSTEM)
    store.reload_schema()


class Maker:
    """Draws the rows."""

    def __init__(self, random: Random, store: Store) -> None:
        self.random = random
        self.schema = store.schema
        self.rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (*KINDS, "shares")}
        self.numbers = 100

    def make(self) -> dict[str, list[dict[str, Any]]]:
        """All rows, by kind."""
        for kind, count in zip(KINDS, (2, 6, 3, 8, 12, 10, 8, 12, 10, 8, 6), strict=True):
            for _ in range(count):
                self.rows[kind].append(self.row(kind))
        for kind in ("accounts", "contacts", "opportunities", "activities", "cases"):
            for row in self.random.sample(self.rows[kind], 3):
                self.rows["shares"].append(self.share(kind, row["id"]))
        self._spread()
        return self.rows

    def some(self, kind: str) -> Any:
        ids = [row["id"] for row in self.rows[kind]]
        return self.random.choice([None, *ids]) if ids else None

    def share(self, kind: str, record_id: str) -> dict[str, Any]:
        to_user = self.random.random() < 0.5
        return {
            **self._kept(),
            "entity": kind,
            "record_id": record_id,
            "user_id": self.some("users") if to_user else None,
            "team_id": None if to_user else self.some("teams"),
            "level": "read",
            "shared_by": None,
        }

    def _kept(self) -> dict[str, Any]:
        draw = self.random.choice
        return {
            "id": new_id(),
            "created_at": draw(MOMENTS),
            "updated_at": draw(MOMENTS),
            "deleted_at": None,
            "version": 1,
        }

    def row(self, kind: str) -> dict[str, Any]:
        """A row of a kind, every field drawn by its type."""
        entity = ENTITIES[kind]
        row = self._kept()
        for name, spec in self.schema.entity(kind).fields.items():
            if name not in row and name != "custom":
                row[name] = self.value(kind, spec)
        if kind not in ("users", "teams", "territories") and self.random.random() < 0.15:
            row["deleted_at"] = MOMENTS[0]
        if kind in ("users", "teams", "territories"):
            row["name"] = f"{kind} {row['id']}"
        if kind == "users":
            row["email"] = f"{row['id']}@example.com"
        if kind == "activities":
            row["about"] = self.random.choice(["accounts", "contacts", "opportunities"])
            row["about_id"] = self.random.choice(self.rows[row["about"]])["id"]
        assert entity.name == kind
        return row

    def value(self, kind: str, spec: Any) -> Any:
        """A value of a field's type; a field that must have one always has."""
        draw = self.random.choice
        empty = spec.column.nullable if not spec.custom else True
        if spec.name == "number":
            self.numbers += 1
            return self.numbers
        if spec.name in ("currency",):
            return draw([None, "INR", "INR", "USD", "KWD"])
        if spec.name == "country":
            return None
        if spec.type == "id":
            if spec.to not in self.rows:  # of a kind that stays out, or chosen afterwards
                return None
            found = self.some(spec.to)
            while found is None and not empty:
                found = self.some(spec.to)
            return found
        if empty and self.random.random() < 0.3:
            return None
        drawn: dict[str, list[Any]] = {
            "enum": list(spec.values),
            "integer": [0, 1, 2, 3, 4, 5],
            "money": SOME[2:],
            "number": [0.0, 0.1, 3.0, -1.5],
            "boolean": [True, False],
            "instant": MOMENTS,
            "date": DAYS,
            "tags": [["vip"], ["vip", "gold"], ["asha"]],
        }
        if spec.type in drawn:
            return draw(drawn[spec.type])
        if kind == "identities":
            return f"{draw(['+919876543210', 'asha@example.com', '98765'])}{new_id()[-4:]}"
        return draw(NAMES if spec.search else TEXTS)[: spec.length or None] if spec.type == "text" else None

    def _spread(self) -> None:
        """Pairs that may stand only once."""
        for kind, pair in (
            ("affiliations", ("contact_id", "account_id")),
            ("stakeholders", ("opportunity_id", "contact_id")),
        ):
            once = {tuple(row[name] for name in pair): row for row in self.rows[kind]}
            self.rows[kind] = list(once.values())


def write(tx: Tx, rows: dict[str, list[dict[str, Any]]]) -> None:
    """The rows into the database, with the indexes of tags and of search."""
    for kind in (*KINDS, "shares"):
        entity = tx.schema.entity(kind)
        for row in rows[kind]:
            columns = {name: value for name, value in row.items() if name in entity.table.c}
            if entity.main:
                own = {
                    name: plain(row[name]) for name in row if name.startswith("x_") and row[name] is not None
                }
                columns["custom"] = own or None
            tx.execute(entity.table.insert(), columns)
            for tag in row.get("tags") or ():
                tx.execute(taggings.insert(), {"record_id": row["id"], "tag": tag, "entity": kind})
            if not (row["deleted_at"] and entity.finds):
                enter(tx, entity, row)
    tx.flush()


def plain(value: Any) -> Any:
    """A moment or a day as text, as own fields hold it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if hasattr(value, "isoformat") else value


def actors(random: Random, rows: dict[str, list[dict[str, Any]]]) -> list[Actor]:
    """An actor of every role, with and without a team, a territory, and fields hidden from them."""
    found = []
    for role in ROLES:
        user = random.choice(rows["users"])
        hidden = {
            (role, "accounts"): frozenset({"industry", "name"}),
            (role, "contacts"): frozenset({"x_tier"}),
        }
        hidden[role, "opportunities"] = frozenset({"currency"})
        team = random.choice([None, *(row["id"] for row in rows["teams"])])
        places = tuple(row["id"] for row in rows["territories"] if random.random() < 0.4)
        access = Access(hidden=hidden) if role != "admin" and random.random() < 0.4 else Access()
        found.append(Actor("user", user["id"], role, team, territory_ids=places, access=access))
    return found


def pool(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], list[Any]]:
    """The values that stand in the rows, by (kind, field)."""
    found: dict[tuple[str, str], list[Any]] = {}
    for kind, records in rows.items():
        for row in records:
            for name, value in row.items():
                if value is not None and not isinstance(value, list):
                    found.setdefault(("" if name.startswith("x_") else kind, name), []).append(value)
    return found
