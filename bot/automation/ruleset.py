"""The rules in force during one transaction: which of them an event concerns, and whom they match."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.crm.business import Profile
from bot.crm.rule import RULE
from bot.crm.rule_check import DUE, GENERAL, selecting
from bot.crm.user import actor_by_id
from bot.errors import SamvadError
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.keys import BUSINESS
from bot.records.permissions import row_filter
from bot.records.query import Comparison, Query
from bot.records.query.compile import compile_query
from bot.records.query.run import asking
from bot.records.tx import Record, Tx
from bot.storage import Id

Rule = Mapping[str, Any]
_table = RULE.table
_live = sa.select(_table).where(_table.c.active, _table.c.deleted_at.is_(None))
_all = _live.order_by(_table.c.position, _table.c.id)
_one = _live.where(_table.c.id == sa.bindparam("rule"))


def active_rule(tx: Tx, rule_id: str) -> Rule | None:
    """The rule, if it is on."""
    return tx.row(_one, {"rule": rule_id})


class Ruleset:
    """Actors and conditions are read once; a rule that is switched off meanwhile is left out."""

    def __init__(self, tx: Tx, profile: Profile, rules: Iterable[Rule] | None = None) -> None:
        """`rules` in place of all that are on. Days and amounts are those of the business."""
        self._tx = tx
        self.zone = ZoneInfo(profile.time_zone)
        self._currency = profile.currency
        self._actors: dict[str, Actor] = {}
        self._statements: dict[str, sa.Select[Any]] = {}
        self.by_kind: dict[str, list[Rule]] = {}
        for rule in tx.rows(_all) if rules is None else rules:
            self.by_kind.setdefault(rule["entity"], []).append(rule)

    def answering(self, event: Record) -> list[Rule]:
        """The rules that wait for such an event, in their order."""
        return [rule for rule in self.by_kind.get(event["entity"], ()) if self._waits_for(rule, event)]

    def due_rules(self, kind: str) -> list[Rule]:
        """The rules of this kind that wait for a moment."""
        return [rule for rule in self.by_kind.get(kind, ()) if rule["trigger"] == DUE]

    def drop(self, rule: Rule) -> None:
        """It was switched off."""
        kind = rule["entity"]
        self.by_kind[kind] = [one for one in self.by_kind[kind] if one["id"] != rule["id"]]

    def has(self, rule: Rule) -> bool:
        """Whether it is still on."""
        return any(one["id"] == rule["id"] for one in self.by_kind.get(rule["entity"], ()))

    def _waits_for(self, rule: Rule, event: Record) -> bool:
        action, trigger = event["action"], rule["trigger"]
        if trigger == "updated":
            if action in GENERAL[:1] + GENERAL[2:] or not (event["changes"] or event["sealed"]):
                return False
        elif trigger != action:
            return False
        return rule["changed"] is None or bool(set(rule["changed"]) & changed_fields(self._tx, event))

    def entity(self, rule: Rule) -> Entity:
        """The record kind with the fields that admins added."""
        return self._tx.schema.entity(rule["entity"])

    def actor(self, rule: Rule) -> Actor:
        """The user the rule runs as. Raises NotFound, Forbidden."""
        user_id = rule["run_as_id"]
        if user_id not in self._actors:
            self._actors[user_id] = actor_by_id(self._tx, user_id)
        return self._actors[user_id]

    def matching(self, rule: Rule, record_ids: Iterable[str]) -> set[str]:
        """Those of these records that the rule's user sees and that fulfil its condition.

        Raises Forbidden, QueryInvalid for a rule that has become unsound."""
        ids = tuple(dict.fromkeys(record_ids))
        if not ids:
            return set()
        actor, entity = self.actor(rule), self.entity(rule)
        with self._tx.acting(actor):
            if rule["trigger"] == "deleted" and "deleted_at" in entity.table.c:
                return self._of_deleted(actor, entity, ids)
            self._tx.require("read", entity.name)
            return set(self._tx.execute(self._statement(rule, entity, actor), {"among": ids}).scalars())

    def _statement(self, rule: Rule, entity: Entity, actor: Actor) -> sa.Select[Any]:
        """The condition as a statement over the records whose ids are bound as `among`."""
        if rule["id"] not in self._statements:
            query = self._query(rule, entity, actor)
            asked, _ = compile_query(query, entity, asking(self._tx, self.zone, self._currency))
            those = entity.table.c.id.in_(sa.bindparam("among", expanding=True, type_=Id))
            self._statements[rule["id"]] = asked.where(those).order_by(None)
        return self._statements[rule["id"]]

    def _query(self, rule: Rule, entity: Entity, actor: Actor) -> Query:
        return replace(selecting(self._tx, entity, actor, rule["condition"]), fields=("id",), limit=None)

    def minds(self, rule: Rule, touched: frozenset[str]) -> bool:
        """Whether the answer of the rule's condition may be another one after these fields of the record
        changed. What looks at other records always may."""
        actor = self.actor(rule)
        query = self._query(rule, self.entity(rule), actor)
        fields = [part.field if isinstance(part, Comparison) else "." for part in query.where]
        return not actor.sees_everything or any("." in name or name in touched for name in fields)

    def _of_deleted(self, actor: Actor, entity: Entity, ids: tuple[str, ...]) -> set[str]:
        """No list shows deleted records; the rule's user must be one who would have seen them."""
        self._tx.require("read", entity.name)
        mine = row_filter(actor, entity)
        statement = sa.select(entity.table.c.id).where(entity.table.c.id.in_(ids))
        return set(self._tx.execute(statement if mine is None else statement.where(mine)).scalars())


def changed_fields(tx: Tx, event: Record) -> set[str]:
    """The fields an event changed, the personal ones too while their key is there."""
    names = set(event["changes"] or ())
    if event["sealed"]:
        with suppress(SamvadError):  # a person who was erased: nobody can say any more what changed
            names |= set(tx.keys.unseal_values(event["contact_id"] or BUSINESS, event["sealed"]))
    return names
