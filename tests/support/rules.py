"""A business with rules, and what a worker does about them, by hand and without waiting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.automation.consumer import advance
from bot.automation.timers import ALL_TIMERS
from bot.bus import Bus
from bot.crm.business import seed_profile
from bot.crm.rule import RULE, rule_runs
from bot.crm.user import actor_by_id, add_user
from bot.dialogs.actions import ACTIONS
from bot.dialogs.flows import load_flows
from bot.i18n import Words
from bot.media import MediaStore
from bot.media.links import FileLinks
from bot.pipeline.runtime import Runtime
from bot.pipeline.timers import fire
from bot.records import timer
from bot.records.actor import SYSTEM, Actor
from bot.records.change import create_record
from bot.records.keys import derive
from bot.records.store import Store
from bot.records.tokens import Tokens
from bot.records.tx import Record, Tx
from bot.settings import load_settings
from tests.support.databases import SECRET
from tests.support.people import Business, found


async def _nothing(*_: Any) -> Any:
    """Rules understand and search nothing."""


def runtime_of(store: Store, folder: Path) -> Runtime:
    """The bundle that rules work with, without channels."""
    settings = load_settings(data_dir=folder)
    tokens = Tokens(derive(SECRET, "tokens"))
    return Runtime(
        settings=settings,
        store=store,
        bus=Bus(),
        media=MediaStore(folder / "media"),
        words=Words.load(),
        profile=store.write_now(seed_profile, SYSTEM, settings),
        channels={},
        accounts={},
        flows=load_flows(actions=ACTIONS),
        understand=_nothing,
        search=_nothing,
        tokens=tokens,
        links=FileLinks(tokens.sign, tokens.unsign, "http://127.0.0.1"),
    )


@dataclass
class Scene:
    """`business` has a user of each kind; `boss` is an admin, and every rule runs as them."""

    store: Store
    runtime: Runtime
    business: Business
    boss: Actor
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, store: Store, folder: Path) -> "Scene":
        """A business whose log the rules have read to its end."""
        runtime = runtime_of(store, folder)
        business = store.write_now(found, SYSTEM, "rep")
        boss_id = store.write_now(add_user, SYSTEM, "boss@example.com", "admin", name="Boss")
        scene = cls(store, runtime, business, store.read_now(actor_by_id, SYSTEM, boss_id))
        scene.work()
        return scene

    def do(self, operation: Any, *args: Any, actor: Actor | None = None, **given: Any) -> Any:
        """One operation in a transaction of its own, as the boss."""
        return self.store.write_now(operation, actor or self.boss, *args, **given)

    def rule(self, name: str, entity: str, trigger: str, *actions: Mapping[str, Any], **given: Any) -> str:
        """A saved rule."""
        values = {"name": name, "entity": entity, "trigger": trigger, "actions": list(actions), **given}
        row = self.do(create_record, RULE, values)
        self.names[row["id"]] = name
        return str(row["id"])

    def work(self) -> int:
        """Read the log to its end; returns how many events it held."""
        total = 0
        while done := self.store.write_now(advance, SYSTEM, self.runtime):
            total += done
        return total

    def fire(self, ahead: timedelta = timedelta()) -> list[str]:
        """What falls due as if `ahead` had passed; returns the kinds of timers."""

        def due(tx: Tx) -> list[Record]:
            tx.now += ahead
            return timer.hand_out(tx)

        def fall(tx: Tx, timer_id: str) -> bool:
            tx.now += ahead
            return fire(tx, self.runtime, timer_id, ALL_TIMERS)

        rows = self.store.write_now(due, SYSTEM)
        return [row["kind"] for row in rows if self.store.write_now(fall, SYSTEM, row["id"])]

    def row(self, entity: Any, record_id: str) -> Record:
        """A record as it is."""
        statement = sa.select(entity.table).where(entity.table.c.id == record_id)
        row = self.store.read_now(Tx.row, SYSTEM, statement)
        assert row is not None
        return row

    def rows(self, entity: Any, **where: Any) -> list[Record]:
        """Records with these values, oldest first."""
        table = entity.table
        chosen = sa.select(table).where(*(table.c[name] == value for name, value in where.items()))
        return list(self.store.read_now(Tx.rows, SYSTEM, chosen.order_by(table.c.id)))

    def runs(self, **where: Any) -> list[tuple[str, str]]:
        """(rule, state) of the runs, oldest first."""
        chosen = sa.select(rule_runs).where(*(rule_runs.c[name] == value for name, value in where.items()))
        rows = self.store.read_now(Tx.rows, SYSTEM, chosen.order_by(rule_runs.c.id))
        return [(self.names[row["rule_id"]], row["state"]) for row in rows]
