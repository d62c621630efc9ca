"""What a rule must be to be saved: every part is looked at as the user it runs as would see it."""

from collections.abc import Mapping
from typing import Any

from bot.crm import user
from bot.crm.rule_action import read_actions
from bot.errors import Forbidden, InvalidInput, NotFound, QueryInvalid
from bot.records.actor import Actor
from bot.records.entity import Entity
from bot.records.permissions import require
from bot.records.query import Query, parse, reachable
from bot.records.tx import Record, Tx

DUE = "due"
GENERAL = ("created", "updated", "deleted", "restored")
"""`updated` is any event that changed a field, whatever else it is called."""
SPECIAL: dict[str, tuple[str, ...]] = {
    "activities": ("done", "moved", "called_off"),
    "cases": ("reopened", "escalated", "withdrawn"),
    "contacts": ("blocked", "unblocked", "question_unanswered", "abusive", "rated"),
    "leads": ("dropped",),
    "conversations": ("handed_off", "taken_over", "handed_back", "moved", "identified", "escalated"),
    "messages": (
        *("received", "reacted", "edited", "deleted", "written", "file_lost", "file_expired"),
        *("cancelled", "failed", "unknown", "resent", "discarded"),
    ),
}
"""The events of docs/events.md beyond the general ones, by record kind."""
KINDS = (
    *("accounts", "contacts", "leads", "opportunities", "cases", "activities"),
    *("conversations", "messages", "consents", "identities", "affiliations", "contact_links", "stakeholders"),
)
"""The record kinds that a rule may watch."""
_MOMENTS = ("date", "instant")
_TEN_YEARS = 10 * 366 * 24 * 60


def triggers_of(kind: str) -> tuple[str, ...]:
    """What a rule on this kind may wait for."""
    special = SPECIAL.get(kind, ())
    if kind == "messages":  # a log of their own: they are not made and changed like other records
        return special
    return (*GENERAL, *special, DUE)


def checked(
    tx: Tx, before: Record | None, rule: Mapping[str, Any], *, changed: frozenset[str]
) -> dict[str, Any]:
    """The rule's parts in their one form. Raises InvalidInput or Forbidden that says what to do."""
    may_lend(tx.actor, before, rule)
    if before is not None and changed == {"active"} and not rule["active"]:
        return {}  # what is no longer sound can still be switched off
    entity, runs_as = watched(tx, rule)
    trigger = rule.get("trigger")
    if trigger not in triggers_of(entity.name):
        known = ", ".join(triggers_of(entity.name))
        raise InvalidInput(f"{entity.name} know no {str(trigger)[:40]!r}; one of {known}", field="trigger")
    found: dict[str, Any] = {"changed": _changed(entity, runs_as, rule)}
    found |= _due(entity, runs_as, rule)
    found["condition"] = _condition(tx, entity, runs_as, rule)
    found["actions"] = read_actions(tx, entity, runs_as, str(trigger), rule.get("actions"))
    return found


def watched(tx: Tx, rule: Mapping[str, Any]) -> tuple[Entity, Actor]:
    """The kind that a rule watches, and as whom. Raises InvalidInput."""
    runs_as = _runs_as(tx, rule)
    entity = _entity(tx, rule.get("entity"))
    try:
        require(runs_as, "read", entity.name)
    except Forbidden as error:
        raise InvalidInput(f"The user this rule runs as: {error.message}", field="run_as_id") from None
    return entity, runs_as


def may_lend(actor: Actor, before: Record | None, rule: Mapping[str, Any]) -> None:
    """Nobody but an admin lends a rule the permissions of somebody else, and no limited key those of
    its whole user."""
    if actor.scopes is not None:
        raise Forbidden("A key that is limited makes and changes no rules; sign in for that")
    lent = {rule.get("run_as_id"), (before or rule).get("run_as_id")}
    if actor.kind == "user" and actor.role != "admin" and lent != {actor.id}:
        raise Forbidden(
            "Only an admin may change a rule that runs as somebody else; let it run as yourself",
            field="run_as_id",
        )


def _runs_as(tx: Tx, rule: Mapping[str, Any]) -> Actor:
    if not rule.get("run_as_id"):
        raise InvalidInput("Say which user the rule runs as", field="run_as_id")
    try:
        return user.actor_by_id(tx, rule["run_as_id"])
    except (NotFound, Forbidden) as error:
        raise InvalidInput(error.message, field="run_as_id") from None


def _entity(tx: Tx, name: Any) -> Entity:
    if name not in KINDS:
        raise InvalidInput(f"A rule watches one of {', '.join(KINDS)}", field="entity")
    return tx.schema.entity(name)


def _changed(entity: Entity, runs_as: Actor, rule: Mapping[str, Any]) -> list[str] | None:
    names = rule.get("changed") or None
    if names is None:
        return None
    if rule.get("trigger") == DUE or rule.get("trigger") == "deleted":
        raise InvalidInput("Changed fields go with an event that changes fields", field="changed")
    if not isinstance(names, list):
        raise InvalidInput("`changed` is a list of field names", field="changed")
    known = reachable(runs_as, entity)
    for name in names:
        if name not in known:
            raise InvalidInput(f"{entity.name} have no field {str(name)[:60]!r}", field="changed")
    return list(dict.fromkeys(names))


def _due(entity: Entity, runs_as: Actor, rule: Mapping[str, Any]) -> dict[str, Any]:
    if rule.get("trigger") != DUE:
        return {"due_field": None, "due_minutes": None}
    moments = moments_of(runs_as, entity)
    if rule.get("due_field") not in moments:
        raise InvalidInput(f"Due when? One of {', '.join(moments)}", field="due_field")
    minutes = rule.get("due_minutes") or 0
    if not isinstance(minutes, int) or isinstance(minutes, bool) or abs(minutes) > _TEN_YEARS:
        raise InvalidInput(
            "Say in whole minutes how long after it (before: negative), ten years at most",
            field="due_minutes",
        )
    return {"due_field": rule["due_field"], "due_minutes": minutes}


def moments_of(runs_as: Actor, entity: Entity) -> list[str]:
    """The fields of a kind that a rule may count from."""
    known = reachable(runs_as, entity)
    return [name for name, spec in known.items() if spec.type in _MOMENTS and name != "deleted_at"]


def selecting(tx: Tx, entity: Entity, actor: Actor, condition: str) -> Query:
    """The query for all records that fulfil a condition, as this actor sees them. Raises QueryInvalid."""
    return parse(tx.schema, entity, actor, where=condition, limit=None)


def _condition(tx: Tx, entity: Entity, runs_as: Actor, rule: Mapping[str, Any]) -> str:
    text = str(rule.get("condition") or "").strip()
    if text and rule.get("trigger") == "deleted" and entity.name != "messages":
        raise InvalidInput(
            "A deleted record is in no list: a rule on `deleted` has no condition", field="condition"
        )
    try:
        selecting(tx, entity, runs_as, text)
    except QueryInvalid as error:
        raise QueryInvalid(error.message, **{**error.data, "in": "condition"}) from None
    return text
