"""`samvad bench crm --contacts N`: the records' hot paths against the same reads and writes by hand, on
PostgreSQL at N contacts (measured at 100,000 on the way when N is more) and on SQLite at a fifth of N.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.crm_data import BUSY_EVERY, NAMES, record_id
from benchmarks.crm_data import CONTACT as CONTACT_ID
from benchmarks.crm_floor import PostgresFloor, SqliteFloor
from bot.app import App
from bot.crm.contact import CONTACT
from bot.crm.opportunity import OPPORTUNITY
from bot.crm.timeline import timeline
from bot.records.actor import Actor
from bot.records.change import create_record
from bot.records.query import one, page, parse, parse_summary, summary
from bot.records.search.fold import wanted
from bot.records.show import shown
from bot.records.tx import Tx

HALFWAY = 100_000
OPERATIONS = ("list", "filter", "get", "search", "timeline", "create", "pipeline")
Say = Callable[[str], Any]
Floor = PostgresFloor | SqliteFloor


@dataclass(slots=True)
class Business:
    """What is asked: an open program, its size, and who asks."""

    app: App
    contacts: int
    owners: list[str]
    actor: Actor
    made: int = 0

    def contact(self, dice: random.Random, every: int = 1) -> str:
        """One of the contacts, or of those whose number is a multiple of `every`."""
        return record_id(CONTACT_ID, dice.randrange(0, self.contacts, every))

    def operations(self, dice: random.Random) -> dict[str, tuple[Callable[[Tx], Any], tuple[Any, ...]]]:
        """One of each: ours, and what the floor is given to do the same."""
        cursor, whose = self.contact(dice), dice.choice(self.owners)
        somebody, busy = self.contact(dice), self.contact(dice, BUSY_EVERY)
        name = dice.choice(NAMES)
        self.made += 1
        phone = f"+91{8_000_000_000 + self.made}"
        terms = _tsquery(name) if self.app.store.database.dialect == "postgresql" else _match(name)
        return {
            "list": (lambda tx: _list(tx, f'id < "{cursor}"'), (cursor,)),
            "filter": (lambda tx: _list(tx, f'owner_id = "{whose}"'), (whose,)),
            "get": (lambda tx: shown(tx, CONTACT, [one(tx, CONTACT, somebody)]), (somebody,)),
            "search": (lambda tx: _list(tx, f'~ "{name}"'), (terms,)),
            "timeline": (lambda tx: timeline(tx, CONTACT, {"id": busy}), (busy,)),
            "create": (
                lambda tx: create_record(tx, CONTACT, {"name": name, "phones": [phone]}),
                (name, phone),
            ),
            "pipeline": (_pipeline, ()),
        }


def _list(tx: Tx, where: str) -> list[dict[str, Any]]:
    query = parse(tx.schema, CONTACT, tx.actor, where=where, order="id desc")
    return shown(tx, CONTACT, page(tx, CONTACT, query).rows)


def _pipeline(tx: Tx) -> Any:
    asked = parse_summary(
        tx.schema, OPPORTUNITY, tx.actor, of="count, sum(amount)", by="stage", where="status = open"
    )
    return summary(tx, OPPORTUNITY, asked)


def _tsquery(text: str) -> str:
    forms = [
        " | ".join(f"'{term[:-1]}':*" if term.endswith("*") else f"'{term}'" for term in word)
        for word in wanted(text)
    ]
    return " & ".join(f"({form})" for form in forms)


def _match(text: str) -> str:
    forms = [
        " OR ".join(f'"{term[:-1]}"*' if term.endswith("*") else f'"{term}"' for term in word)
        for word in wanted(text)
    ]
    return " AND ".join(f"({form})" for form in forms)
