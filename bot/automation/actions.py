"""What rules do: each action of `bot.crm.rule_action`, as the user the rule runs as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bot.automation.ruleset import Rule, active_rule
from bot.conversations.conversation import CONVERSATION
from bot.crm.activity import add_note, add_task
from bot.crm.notification import notify_user
from bot.crm.rule import rule_runs
from bot.crm.rule_action import COPIED, PLACE
from bot.crm.user import USER, staff_to_tell
from bot.errors import InvalidInput, NotFound
from bot.ids import new_id
from bot.pipeline.business import Standing, ask_gate, write_first
from bot.pipeline.load import read_conversation
from bot.pipeline.reminders import link_to
from bot.pipeline.timers import escalate_case
from bot.records.actor import SYSTEM
from bot.records.change import change_record
from bot.records.entity import Entity, to_json
from bot.records.numbers import FIRST, next_number
from bot.records.sharing import share_record
from bot.records.show import shown
from bot.records.timer import set_timer
from bot.records.tx import Record, Tx
from bot.records.write import expanded, get

MESSAGE = "rule_message"
"""The timer of a message that has to wait for the morning."""
_WAITING = ("waits_for", "until", "waiting_id")
_AT_WORK = ("agent", "rep", "manager", "admin")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one action did. `changes` are {field: [before, after]}; `told` is what else there is to say."""

    action: str
    changes: Mapping[str, list[Any]] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    personal: frozenset[str] = frozenset()

    def shown(self) -> dict[str, Any]:
        """All of it, for who tries a rule."""
        text = {"text": self.text} if self.text else {}
        return {"action": self.action, "changes": dict(self.changes), **self.told, **text}

    def logged(self) -> dict[str, Any]:
        """For the run log: no personal values, which must go when a person is erased."""
        plain = {name: pair for name, pair in self.changes.items() if name not in self.personal}
        hidden = sorted(self.changes.keys() & self.personal)
        return {
            "action": self.action,
            "changes": plain,
            **({"personal": hidden} if hidden else {}),
            **self.told,
        }


@dataclass(slots=True)
class Context:
    """What an action works with. `record` is read anew for each."""

    tx: Tx
    runtime: Standing
    rule: Rule
    entity: Entity
    record_id: str
    run_id: str = ""
    """The run that is logged; none of a trial."""
    touched: set[str] = field(default_factory=set)
    """Fields of the record that have changed so far."""
    _row: Record | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The business's."""
        return ZoneInfo(self.runtime.profile.time_zone)

    def seen(self) -> Record:
        """The record as it is now, also one that was deleted. Raises NotFound, Forbidden."""
        if self._row is not None:
            return self._row
        if self.rule["trigger"] != "deleted":
            self._row = get(self.tx, self.entity, self.record_id)
            return self._row
        table = self.entity.table
        row = self.tx.row(sa.select(table).where(table.c.id == self.record_id))
        if row is None:
            raise NotFound("The record is gone")
        return expanded(self.entity, row)

    def as_shown(self, names: Sequence[str] = ()) -> Record:
        """The record's fields as the API shows them to the rule's user."""
        return shown(self.tx, self.entity, [self.seen()], names)[0]

    def change(self, action: str, given: Mapping[str, Any]) -> Outcome:
        """Change fields of the record, by values as the API takes them."""
        before = self.as_shown(tuple(given))
        old = self.seen()
        changed = change_record(self.tx, self.entity, self.record_id, given, zone=self.zone)
        self.touched |= {name for name in changed.keys() | old.keys() if changed.get(name) != old.get(name)}
        self._row = changed
        after = shown(self.tx, self.entity, [changed], tuple(given))[0]
        changes = {
            name: [before.get(name), after.get(name)] for name in given if before.get(name) != after.get(name)
        }
        personal = frozenset(name for name in changes if self.entity.personal(name))
        return Outcome(action, changes, personal=personal)

    def fill(self, text: str) -> str:
        """A text with the record's fields in their places, as far as the rule's user sees them."""
        if not (names := PLACE.findall(text)):
            return text
        record = self.as_shown(names)
        return PLACE.sub(lambda place: self._word(place[1], record.get(place[1])), text)

    def _word(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if self.entity.fields[name].type == "instant":
            return datetime.fromisoformat(value).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        return str(value)

    def contact_id(self) -> str | None:
        """Whose record it is."""
        if self.entity.name == "contacts":
            return self.record_id
        found: str | None = self.seen().get(self.entity.contact_column)
        return found


def carry_out(context: Context) -> list[Outcome]:
    """Every action of the rule, in order."""
    return [CARRY_OUT[one["action"]](context, one) for one in context.rule["actions"]]


def _set_fields(context: Context, given: Mapping[str, Any]) -> Outcome:
    sources = {
        name: copied[1]
        for name, value in given["fields"].items()
        if isinstance(value, str) and (copied := COPIED.fullmatch(value))
    }
    record = context.as_shown(tuple(sources.values())) if sources else {}
    copies = {name: record.get(source) for name, source in sources.items()}
    return context.change("set_fields", {**given["fields"], **copies})


def _assign(context: Context, given: Mapping[str, Any]) -> Outcome:
    tx = context.tx
    if "team_id" in given:
        team_id = given["team_id"]
        return context.change("assign", {"owner_id": _next_of(tx, team_id), "team_id": team_id})
    user = _active(tx, given["user_id"])
    return context.change("assign", {"owner_id": user["id"], "team_id": user["team_id"]})


def _next_of(tx: Tx, team_id: str) -> str:
    """The members of a team in turn."""
    table = USER.table
    members = sa.select(table.c.id).where(
        table.c.team_id == team_id, table.c.active, table.c.role.in_(_AT_WORK)
    )
    ids = tx.execute(members.where(table.c.deleted_at.is_(None)).order_by(table.c.id)).scalars().all()
    if not ids:
        raise InvalidInput("Nobody active is in this team: add somebody, or assign to another")
    turn = next_number(tx, f"t:{team_id}") - FIRST
    return str(ids[turn % len(ids)])


def _active(tx: Tx, user_id: str) -> Record:
    row = tx.row(sa.select(USER.table).where(USER.table.c.id == user_id, USER.table.c.active))
    if row is None:
        raise InvalidInput("The user named by the rule is not active any more: name another")
    return row


def _add_tags(context: Context, given: Mapping[str, Any]) -> Outcome:
    tags = list(context.seen().get("tags") or ())
    return context.change("add_tags", {"tags": [*tags, *(tag for tag in given["tags"] if tag not in tags)]})


def _remove_tags(context: Context, given: Mapping[str, Any]) -> Outcome:
    tags = list(context.seen().get("tags") or ())
    return context.change("remove_tags", {"tags": [tag for tag in tags if tag not in given["tags"]]})


def _create_task(context: Context, given: Mapping[str, Any]) -> Outcome:
    record, tx = context.seen(), context.tx
    subject = context.fill(given["subject"])
    owner_id, team_id = record.get(context.entity.owner_column), record.get("team_id")
    if given["owner"] != "owner":
        user = _active(tx, given["owner"])
        owner_id, team_id = user["id"], user["team_id"]
    due_at = tx.now + timedelta(minutes=given["due_minutes"])
    task_id = add_task(
        tx,
        context.entity.name,
        context.record_id,
        subject,
        due_at=due_at,
        contact_id=context.contact_id(),
        owner_id=owner_id,
        team_id=team_id,
    )
    return Outcome("create_task", told={"activity_id": task_id, "due_at": to_json(due_at)}, text=subject)


def _add_note(context: Context, given: Mapping[str, Any]) -> Outcome:
    text = context.fill(given["text"])
    note_id = add_note(
        context.tx, context.entity.name, context.record_id, text, contact_id=context.contact_id()
    )
    return Outcome("add_note", told={"activity_id": note_id}, text=text)


def _notify(context: Context, given: Mapping[str, Any]) -> Outcome:
    text = context.fill(given["text"])
    record = context.seen()
    told = sorted({user_id for whom in given["to"] for user_id in _people(context, record, whom)})
    data = {"rule": context.rule["name"], "text": text}
    for user_id in told:
        notify_user(context.tx, user_id, "notify.rule", data, _page_of(context.entity, record))
    return Outcome("notify", told={"users": told}, text=text)


def _people(context: Context, record: Record, whom: str) -> list[str]:
    """Active users that `owner`, `team`, `run_as`, a role or an id means for this record."""
    tx, table = context.tx, USER.table
    if whom.startswith("role:"):
        return [user["id"] for user in staff_to_tell(tx, (whom.removeprefix("role:"),))]
    if whom == "team":
        chosen = table.c.team_id == record.get("team_id")
    else:
        named = {"owner": record.get(context.entity.owner_column), "run_as": context.rule["run_as_id"]}
        chosen = table.c.id == named.get(whom, whom)
    return list(tx.execute(sa.select(table.c.id).where(chosen, table.c.active)).scalars())


def _page_of(entity: Entity, record: Record) -> str:
    """Where the console shows the record."""
    conversation = record["id"] if entity is CONVERSATION else record.get("conversation_id")
    return f"/console/conversations/{conversation}" if conversation else link_to(entity.name, record["id"])


def _share(context: Context, given: Mapping[str, Any]) -> Outcome:
    whom = {name: given[name] for name in ("user_id", "team_id") if name in given}
    share_record(context.tx, context.entity.name, context.record_id, level=given["level"], **whom)
    return Outcome("share", told={**whom, "level": given["level"]})


def _send_message(context: Context, given: Mapping[str, Any]) -> Outcome:
    """Into the conversation that the gate lets it into. One that the gate keeps shut is no failure: nothing
    of ours opens it, and what else the rule does is done."""
    tx = context.tx
    tx.require("create", "messages")
    conversation = _conversation_of(context)
    if conversation is None:
        return Outcome("send_message", told={"refused": "no_conversation"})
    text = context.fill(given["text"])
    waiting = {"waiting_id": new_id(), "rule_id": context.rule["id"], "run_id": context.run_id, "text": text}
    with tx.acting(SYSTEM):
        told = _say(tx, context.runtime, conversation, waiting)
    return Outcome("send_message", told={"conversation_id": conversation["id"], **told}, text=text)


def _say(tx: Tx, runtime: Standing, conversation: Record, waiting: Mapping[str, Any]) -> dict[str, Any]:
    """Write, wait, or leave it, as the gate says; returns which."""
    verdict = ask_gate(tx, runtime, conversation)
    if verdict.open:
        return {"message_id": write_first(tx, conversation, waiting["text"])}
    if verdict.until is None:
        return {"refused": verdict.reason}
    data = {**waiting, "conversation_id": conversation["id"]}
    set_timer(tx, MESSAGE, waiting["waiting_id"], verdict.until, data)
    until = to_json(verdict.until)
    return {"waits_for": verdict.reason, "until": until, "waiting_id": waiting["waiting_id"]}


def _conversation_of(context: Context) -> Record | None:
    """Where the record's contact was last spoken with, as far as the rule's user sees it. None: nowhere."""
    contact_id, table = context.contact_id(), CONVERSATION.table
    wanted = context.seen().get("conversation_id")
    if context.entity.name == "conversations":
        wanted = context.record_id
    if wanted is None and contact_id is not None:
        latest = sa.select(table.c.id).where(table.c.contact_id == contact_id)
        wanted = context.tx.execute(
            latest.order_by(table.c.last_message_at.desc().nulls_last()).limit(1)
        ).scalar()
    if wanted is None:
        return None
    get(context.tx, CONVERSATION, wanted)
    return read_conversation(context.tx, wanted)


def _escalate(context: Context, _given: Mapping[str, Any]) -> Outcome:
    case = get(context.tx, context.entity, context.record_id, writing=True)
    level = escalate_case(context.tx, case)
    context.touched |= {"escalation_level", "version", "updated_at"}
    context._row = None
    changes = (
        {"escalation_level": [case["escalation_level"], level]} if level != case["escalation_level"] else {}
    )
    return Outcome("escalate", changes)


def send_waiting(tx: Tx, runtime: Standing, row: Record) -> None:
    """The timer of a message that had to wait: ask again whether it may go. A rule that was switched off
    meanwhile says nothing any more. The run's log tells what became of it."""
    waiting = row["data"]
    conversation = read_conversation(tx, waiting["conversation_id"])
    if conversation is None:
        return
    if active_rule(tx, waiting.get("rule_id", "")) is None:
        told = {"refused": "switched_off"}
    else:
        told = _say(tx, runtime, conversation, waiting)
    # Several messages of a run may wait for the same minute: one after the other writes into its log.
    mine = rule_runs.c.id == waiting.get("run_id")
    run = tx.row(sa.select(rule_runs.c.changes).where(mine).with_for_update())
    if run is None:
        return
    changes = [
        {**{name: value for name, value in one.items() if name not in _WAITING}, **told}
        if one.get("waiting_id") == row["subject_id"]
        else one
        for one in run["changes"]
    ]
    tx.execute(rule_runs.update().where(mine).values(changes=changes))


CARRY_OUT: dict[str, Callable[[Context, Mapping[str, Any]], Outcome]] = {
    "set_fields": _set_fields,
    "assign": _assign,
    "add_tags": _add_tags,
    "remove_tags": _remove_tags,
    "create_task": _create_task,
    "add_note": _add_note,
    "notify": _notify,
    "share": _share,
    "send_message": _send_message,
    "escalate": _escalate,
}
"""By the names of `bot.crm.rule_action.ACTIONS`."""
